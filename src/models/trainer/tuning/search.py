"""The trials of a study, one after the other or several at once, until there are enough."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from contracts import storage, vertex_environment
from contracts.console import Bar, log
from contracts.errors import StageError
from contracts.lock import check_unlocked
from contracts.search_parameter import Value
from models.trainer.tuning.asked import Asked
from models.trainer.tuning.cores import Slots
from models.trainer.tuning.folder import StudyFolder
from models.trainer.tuning.history import Row, exported, read_history
from models.trainer.tuning.places import place_of, repeat_failed, standing
from models.trainer.tuning.process import STOPPED, TrialProcess
from models.trainer.tuning.proposals import Proposals, make_pruner

if TYPE_CHECKING:
    import optuna

SECONDS_BETWEEN_LOOKS: Final = 0.2


@dataclass
class Running:
    """A trial under way."""

    trial: "optuna.trial.Trial"
    folder: str
    process: TrialProcess
    slot: int
    epochs: int
    """That it will have."""
    pruned: bool = False


class Search:
    """Runs trials and tells Optuna how they go."""

    def __init__(
        self,
        study: "optuna.Study",
        asked: Asked,
        proposals: Proposals,
        slots: Slots,
        folder: StudyFolder,
    ) -> None:
        """Prepare.

        Args:
            study: where it is kept.
            asked: what is searched, and how.
            proposals: what is tried.
            slots: where it runs.
            folder: where the trials' folders go.
        """
        self._study, self._asked, self._proposals = study, asked, proposals
        self._slots, self._folder = slots, folder
        self._metric = asked.space.metric.metric_id
        self._running: list[Running] = []
        self._repeated: set[str] = set()
        """Folders of trials that were killed, and taken up once more."""

    def run(self, wanted: int) -> None:
        """Have so many trials in all, those of earlier processes included; what failed is tried again.

        Raises:
            StageError: too many of them failed.
        """
        import optuna

        left = self._study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,))
        taken_up = [self._proposals.again(trial) for trial in left]
        if failed := repeat_failed(self._study):
            log("trials that failed are tried again", trials=failed)
        with Bar(total=wanted, what="tuning", unit="trial", done=len(self._finished())) as bar:
            try:
                while True:
                    while taken_up and len(self._running) < self._slots.count:
                        self._start(*taken_up.pop(0))
                    while len(self._running) < self._slots.count and self._count() < wanted:
                        self._start(*self._proposals.next())
                    if not self._running:
                        break
                    time.sleep(SECONDS_BETWEEN_LOOKS)
                    for running in list(self._running):
                        if self._look(running):
                            bar.advance(**self._best())
                            self._check_failures(wanted)
            finally:
                self._stop_all()
            bar.finish()

    def _count(self) -> int:
        """Trials that have begun."""
        import optuna

        states = [trial.state for trial in standing(self._study)]
        return len(states) - states.count(optuna.trial.TrialState.WAITING)

    def _finished(self) -> "list[optuna.trial.FrozenTrial]":
        return [trial for trial in standing(self._study) if trial.state.is_finished()]

    def _start(self, trial: "optuna.trial.Trial", chosen: dict[str, Value]) -> None:
        name = f"{self._study.study_name}-{place_of(trial):02d}"
        architecture = self._asked.training.architecture_of(chosen).name
        for key, value in {"name": name, "architecture": architecture, "parameters": chosen}.items():
            trial.set_user_attr(key, value)
        self._folder.publish()
        uri = storage.join(self._folder.uri, name)
        _wait_until_free(uri)
        log("trial begins", trial=name, architecture=architecture, **chosen)
        command = [*training_command(self._asked, chosen, uri, self._slots.gpu), "--no-export"]
        slot = self._slots.take()
        environment = {**trial_environment(self._asked), **self._slots.environment(slot)}
        process = TrialProcess(command, self._folder.log(name), environment)
        self._running.append(Running(trial, uri, process, slot, self._asked.training.epochs_of(chosen)))

    def _look(self, running: Running) -> bool:
        """Report its new epochs; whether it has ended."""
        code = running.process.exit_code  # before the epochs: none comes behind it
        if code is None and not running.process.epoch_ended():
            return False
        history = read_history(running.folder)
        self._report(running, history)
        if code is None:
            return False
        if code in STOPPED and not running.pruned:
            raise StageError(f"{running.folder} was told to stop by somebody else; the same command goes on")
        self._running.remove(running)
        self._slots.give_back(running.slot)
        if running.process.killed and running.folder not in self._repeated:
            self._repeated.add(running.folder)
            name = storage.last_part(running.folder)
            log("trial was killed, and is taken up once more", trial=name, reason=running.process.reason())
            self._start(running.trial, running.trial.user_attrs["parameters"])
            return False
        self._tell(running, code, history)
        self._folder.publish()
        return True

    def _report(self, running: Running, history: list[Row]) -> None:
        trial = running.trial
        self._study.pruner = make_pruner(self._asked.pruner, running.epochs)
        known = self._study.get_trials(deepcopy=False)[trial.number].intermediate_values
        for row in history:
            if int(row["epoch"]) in known:
                continue
            trial.report(row[self._metric], int(row["epoch"]))
            if not running.pruned and running.process.exit_code is None and trial.should_prune():
                running.pruned = True
                running.process.ask_to_stop()

    def _tell(self, running: Running, code: int, history: list[Row]) -> None:
        import optuna

        trial, told = running.trial, dict[str, Any]()
        trial.set_user_attr("seconds", round(sum(row["seconds"] for row in history), 1))
        if running.pruned and code in STOPPED:
            state = optuna.trial.TrialState.PRUNED
        elif code or not history:
            state = optuna.trial.TrialState.FAIL
            told["reason"] = running.process.reason()
            trial.set_user_attr("reason", told["reason"])
        else:
            state = optuna.trial.TrialState.COMPLETE
        if history:
            told["value"] = exported(history)[self._metric]
            trial.set_user_attr("value", told["value"])
        complete = state == optuna.trial.TrialState.COMPLETE
        self._study.tell(trial, told["value"] if complete else None, state)
        name = storage.last_part(running.folder)
        log("trial ended", trial=name, state=state.name.lower(), epochs=len(history), **told, **self._best())

    def _best(self) -> dict[str, Any]:
        try:
            return {"best": round(self._study.best_value, 4)}
        except ValueError:  # none is complete
            return {}

    def _check_failures(self, wanted: int) -> None:
        import optuna

        failed = [each for each in self._finished() if each.state == optuna.trial.TrialState.FAIL]
        allowed = self._asked.space.max_failed_trial_count or max(wanted // 2, 2)
        if len(failed) > allowed:
            last = failed[-1].user_attrs
            raise StageError(
                f"{len(failed)} trials failed, and {allowed} may (maxFailedTrialCount); the last, "
                f"{last['name']}: {last['reason']}; see {self._folder.log(last['name'])}; the same "
                "command tries them again"
            )

    def _stop_all(self) -> None:
        """Have all trials save their state; they are taken up by the next process."""
        for running in self._running:
            running.process.ask_to_stop()
        for running in self._running:
            running.process.wait()


def training_command(asked: Asked, chosen: Mapping[str, Value], folder: str, gpu: str) -> list[str]:
    """What follows the interpreter to train with a choice of parameters, and to judge and export."""
    architecture = asked.training.architecture_of(chosen)
    module = f"models.{architecture.name}.train_multi_gpu"
    places = ["--gpu", gpu, "--input", asked.input_uri, "--output", folder]
    return ["-m", module, *places, *asked.training.options_of(chosen)]


def trial_environment(asked: Asked) -> dict[str, str]:
    """Variables of every trial: one group in W&B, and a folder of its own also where Vertex AI names one."""
    group = {} if "WANDB_RUN_GROUP" in os.environ else {"WANDB_RUN_GROUP": asked.name}
    shared = (vertex_environment.CHECKPOINT_FOLDER, vertex_environment.LOG_FOLDER)
    return group | {name: "" for name in shared if name in os.environ}


def _wait_until_free(folder: str) -> None:
    """A trial of a study that was killed may still be saving its state."""
    for _ in range(20):
        try:
            check_unlocked(folder)
        except StageError:
            log("waiting for an earlier process of this trial", folder=folder)
        else:
            return
    check_unlocked(folder)
