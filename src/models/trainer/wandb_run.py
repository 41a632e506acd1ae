"""A run in Weights & Biases. It must not end the training: what fails there is logged, and that is all.

Offline nothing touches the network; `wandb sync <run folder>/wandb` sends it later. The key comes from the
environment, a mounted file or Secret Manager (`contracts.secrets`), never from an argument.

A step of W&B's history is an epoch's number, and W&B takes steps in rising order only, giving one that comes
again the next free number. So nothing is told twice: online the service says how far it has come, offline
the files of earlier processes do (`models.trainer.wandb_parts`).
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

from contracts import vertex_environment
from contracts.console import log
from contracts.dataset import ShardIndex
from contracts.errors import InputError, StageError
from contracts.secrets import secret
from models.trainer import wandb_artifacts, wandb_parts, wandb_service
from models.trainer.checkpoints import Row
from models.trainer.config import Execution
from models.trainer.run_folder import Run

Mode = Literal["online", "offline", "off"]

KEY: Final = "WANDB_API_KEY"

PATIENCE: Final = {"init_timeout": 30.0, "finish_timeout": 90.0}
"""Seconds for W&B's service at the start of a process and, with the bundle to send, at its end;
WANDB_INIT_TIMEOUT and WANDB_FINISH_TIMEOUT stand in for them."""
PATIENCE_OF_A_STOPPED_RUN: Final = 15.0
"""Seconds for the rest where there is no bundle to send: a machine that is taken away gives 30."""
FLUSH: Final = 1.0
"""Seconds after which what was told is in the run's folder; wandb's own 15 are many epochs of a small run."""

CHARTED_CLASSES: Final = 100
"""Classes that a confusion matrix is drawn for: W&B draws the first 10,000 cells. The report has them all."""


def wandb_mode(wanted: str) -> Mode:
    """Decide between online and offline; the key is put where W&B looks for it.

    `auto` never ends a training: where what should hold the key can't be read, that is logged.

    Raises:
        InputError: online was asked for, and there is no key; or what should hold it can't be read.
        StageError: online was asked for, and Secret Manager doesn't answer.
    """
    if wanted in ("off", "offline"):
        return "off" if wanted == "off" else "offline"
    try:
        key = secret(KEY)
    except (InputError, StageError) as error:
        if wanted == "online":
            raise
        log("W&B stays offline", because=str(error))
        return "offline"
    if key:
        os.environ[KEY] = key
        return "online"
    if wanted == "online":
        raise InputError(
            f"--wandb online needs a key: set {KEY}, {KEY}_FILE to the file that holds it, or {KEY}_SECRET "
            "to the version of a secret in Secret Manager"
        )
    return "offline"


def start(
    run: Run, name: str, execution: Execution, folder: Path, *, index: ShardIndex, data_uri: str
) -> "WandbRun | None":
    """Begin the run in W&B, or go on with it; None where it is off or doesn't start.

    Args:
        run: its id and settings.
        name: what people call it.
        execution: the mode and the project.
        folder: where `wandb/` is made; it holds what earlier processes left there.
        index: of the data set, which the run is said to use.
        data_uri: the data set's folder.
    """
    mode = wandb_mode(execution.wandb)
    if mode == "off":
        return None
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # it would call home even offline
    os.environ.setdefault("WANDB_SILENT", "true")
    if study := vertex_environment.trial() and name.rpartition("-")[0]:
        os.environ.setdefault("WANDB_RUN_GROUP", study)
    folder.mkdir(parents=True, exist_ok=True)
    attempts: list[Literal["online", "offline"]] = ["online", "offline"] if mode == "online" else ["offline"]
    for attempt in attempts:
        with _harmless(f"start {attempt}"):
            earlier = wandb_parts.mend(folder, run.id)
            started = WandbRun(_init(run, name, execution, folder, attempt), earlier, index.class_names)
            started.use(index, run.index_digest, data_uri)
            return started
        with _harmless("end its process"):  # which takes the run for begun, and wouldn't begin it offline
            wandb_service.end(1)
    return None


def _init(run: Run, name: str, execution: Execution, folder: Path, mode: Literal["online", "offline"]) -> Any:
    import wandb

    patience = {key: value for key, value in PATIENCE.items() if f"WANDB_{key.upper()}" not in os.environ}
    return wandb.init(
        project=execution.wandb_project,
        id=run.id,
        name=name,
        resume="allow",
        mode=mode,
        dir=str(folder),
        config=run.config | {"architecture": run.architecture} | vertex_environment.provenance(),
        settings=wandb.Settings(
            console="off",
            silent=True,
            finish_timeout_raises=True,
            x_transaction_log_flush_interval=FLUSH,
            **patience,
        ),
    )


class WandbRun:
    """A run that W&B knows of."""

    def __init__(self, run: Any, earlier: Sequence[wandb_parts.Part], class_names: Sequence[str]) -> None:
        self._run, self._class_names = run, list(class_names)
        self._last_epoch = 0
        if self.online:
            self._told = run.starting_step - 1
            for part in filter(wandb_parts.is_offline, earlier):
                wandb_parts.set_aside(part)  # what it tells is told now, and would come too late
        else:
            self._told = max((part.last_step for part in earlier), default=0)

    @property
    def folder(self) -> Path:
        """Where this process' part of the run is written."""
        return Path(self._run.dir).parent

    @property
    def online(self) -> bool:
        """Whether it is sent as it goes."""
        return not self._run.offline

    def use(self, index: ShardIndex, digest: str, uri: str) -> None:
        """Say which data set goes into the run."""
        with _harmless("log the data set"):
            self._send(wandb_artifacts.dataset(index, digest, uri), used=True)

    def begin(self, history: Sequence[Row]) -> None:
        """Log the epochs that W&B doesn't have."""
        for row in history:
            self.epoch(row)

    def epoch(self, row: Row) -> None:
        """Log an epoch's measures at its number."""
        self._last_epoch = int(row["epoch"])
        with _harmless("log an epoch"):
            self._log(row, self._last_epoch)

    def result(self, metrics: Mapping[str, float], labels: Sequence[int], predicted: Sequence[int]) -> None:
        """Put the test split's measures into the summary, and the confusion matrix behind the last epoch."""
        import wandb

        step = self._last_epoch + 1
        with _harmless("log the result"):
            self._run.summary.update({f"test_{name}": value for name, value in metrics.items()})
            if len(self._class_names) > CHARTED_CLASSES:
                return
            chart = wandb.plot.confusion_matrix(
                y_true=list(labels), preds=list(predicted), class_names=self._class_names
            )
            # Its table becomes a file of the run, found wherever the run's folder goes. wandb would make an
            # artifact of it, and wait for the service.
            chart.set_key("confusion_matrix")
            chart.table.bind_to_run(self._run, chart.spec.table_key, step)
            self._log({"confusion_matrix": chart}, step)

    def bundle(self, uri: str) -> None:
        """Log the bundle as an artifact."""
        with _harmless("log the bundle"):
            self._send(wandb_artifacts.model(self._run.id, uri), used=False)

    def close(self, *, failed: bool) -> None:
        """End this process' part of the run."""
        later = {"to_send_the_rest": f"wandb sync --include-online {self.folder}"} if self.online else {}
        patience = self._run.settings.finish_timeout or PATIENCE["finish_timeout"]
        if failed:
            patience = min(patience, PATIENCE_OF_A_STOPPED_RUN)
        with _harmless("finish", **later):
            wandb_service.end(int(failed), self._run, patience)

    def _log(self, row: Mapping[str, Any], step: int) -> None:
        if step > self._told:
            self._run.log(dict(row), step=step, commit=True)  # else it waits for the next step
            self._told = step

    def _send(self, artifact: Any, *, used: bool) -> None:
        # `use_artifact` refuses to work offline, and online it and `log_artifact` wait for the service.
        artifact.finalize()
        self._run._interface.publish_artifact(
            self._run,
            artifact,
            aliases=["latest"],
            tags=None,
            finalize=True,
            is_user_created=used,  # else it counts as made by the run
            use_after_commit=used,
        )


@contextmanager
def _harmless(what: str, **more: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever W&B raises, the training is worth more
        failure = f"{type(error).__name__}: {error}"
        log("W&B failed; training goes on", trying_to=what, error=failure, **more)
