"""A run in Weights & Biases. It must not end the training: what fails there is logged, and that is all.

Offline nothing touches the network; `wandb sync` sends the run's folder later. The key comes from the
environment (WANDB_API_KEY) or a mounted file (WANDB_API_KEY_FILE), never from an argument.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from contracts import storage
from contracts.bundle import ModelBundle
from contracts.console import log
from contracts.errors import InputError
from models.trainer.checkpoints import Row
from models.trainer.config import Execution
from models.trainer.run_folder import Run

Mode = Literal["online", "offline", "off"]


def wandb_mode(wanted: str) -> Mode:
    """Decide between online and offline; the key is put where W&B looks for it.

    Raises:
        InputError: online was asked for, and there is no key.
    """
    if wanted in ("off", "offline"):
        return "off" if wanted == "off" else "offline"
    key = os.environ.get("WANDB_API_KEY") or _key_from_file()
    if key:
        os.environ["WANDB_API_KEY"] = key
        return "online"
    if wanted == "online":
        raise InputError(
            "--wandb online needs a key: set WANDB_API_KEY, or WANDB_API_KEY_FILE to the file that holds it"
        )
    return "offline"


def start(
    run: Run, name: str, execution: Execution, folder: Path, class_names: Sequence[str]
) -> "WandbRun | None":
    """Begin the run in W&B, or go on with it; None where it is off or doesn't start.

    Args:
        run: its id and settings.
        name: what people call it.
        execution: the mode and the project.
        folder: where `wandb/` is made.
        class_names: the index is the label.
    """
    mode = wandb_mode(execution.wandb)
    if mode == "off":
        return None
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # it would call home even offline
    os.environ.setdefault("WANDB_SILENT", "true")
    folder.mkdir(parents=True, exist_ok=True)
    attempts: list[Literal["online", "offline"]] = ["online", "offline"] if mode == "online" else ["offline"]
    for attempt in attempts:
        with _harmless(f"start {attempt}"):
            return WandbRun(_init(run, name, execution, folder, attempt), class_names)
    return None


def _init(run: Run, name: str, execution: Execution, folder: Path, mode: Literal["online", "offline"]) -> Any:
    import wandb

    return wandb.init(
        project=execution.wandb_project,
        id=run.id,
        name=name,
        resume="allow",
        mode=mode,
        dir=str(folder),
        config=run.config | {"architecture": run.architecture},
        settings=wandb.Settings(console="off", silent=True, init_timeout=60),
    )


class WandbRun:
    """A run that W&B knows of."""

    def __init__(self, run: Any, class_names: Sequence[str]) -> None:
        self._run, self._class_names = run, list(class_names)

    @property
    def folder(self) -> Path:
        """Where this process' part of the run is written."""
        return Path(self._run.dir).parent

    @property
    def online(self) -> bool:
        """Whether it is sent as it goes."""
        return not self._run.offline

    def epoch(self, row: Row) -> None:
        """Log an epoch's measures at its number."""
        with _harmless("log an epoch"):
            self._run.log(row, step=int(row["epoch"]))

    def result(self, metrics: Mapping[str, float], labels: Sequence[int], predicted: Sequence[int]) -> None:
        """Put the test split's measures into the summary, with the confusion matrix."""
        import wandb

        with _harmless("log the result"):
            self._run.summary.update({f"test_{name}": value for name, value in metrics.items()})
            chart = wandb.plot.confusion_matrix(
                y_true=list(labels), preds=list(predicted), class_names=self._class_names
            )
            self._run.log({"confusion_matrix": chart})

    def bundle(self, uri: str) -> None:
        """Log the bundle as an artifact: its files where they are sent at once, else a reference to it."""
        import wandb

        with _harmless("log the bundle"):
            bundle = ModelBundle.read(uri)
            metadata = {"dataset": bundle.dataset, "dataset_digest": bundle.dataset_digest, **bundle.metrics}
            artifact = wandb.Artifact(self._run.id, type="model", metadata=metadata)
            if self.online and not storage.is_remote(uri):
                for name in (*bundle.names(), ModelBundle.file_name):
                    artifact.add_file(str(Path(uri, name)), name=name)
            else:
                where = uri if storage.is_remote(uri) else Path(uri).resolve().as_uri()
                artifact.add_reference(where, checksum=False)
            self._run.log_artifact(artifact)

    def close(self, *, failed: bool) -> None:
        """End this process' part of the run."""
        with _harmless("finish"):
            self._run.finish(exit_code=int(failed))


def _key_from_file() -> str | None:
    name = os.environ.get("WANDB_API_KEY_FILE")
    if not name:
        return None
    try:
        return Path(name).read_text(encoding="utf-8").strip() or None
    except OSError as error:
        raise InputError(
            f"WANDB_API_KEY_FILE names {name}, which can't be read ({error.strerror}): mount the key there, "
            "or unset it"
        ) from None


@contextmanager
def _harmless(what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever W&B raises, the training is worth more
        log("W&B failed; training goes on", trying_to=what, error=f"{type(error).__name__}: {error}")
