"""The epochs of a run: train, validate, keep, tell; from wherever the last checkpoint left it."""

import math
import time
from collections.abc import Callable
from typing import Any

from contracts.console import log, progress
from contracts.errors import StageError
from models.trainer.architecture import Architecture
from models.trainer.checkpoints import Checkpoints, Progress, Row, restore
from models.trainer.config import TrainConfig
from models.trainer.loop import Steps, Totals, evaluation_steps, in_calls, train_steps
from models.trainer.optimizers import make_optimizer
from models.trainer.phases import Data, Phase, Task, make_task, plan


class Fit:
    """A run's training."""

    def __init__(
        self,
        strategy: Any,
        network: Any,
        architecture: Architecture,
        config: TrainConfig,
        data: Data,
        checkpoints: Checkpoints,
        *,
        steps_per_call: int = 1,
        after_epoch: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self._strategy, self._network = strategy, network
        self._architecture, self._config, self._data = architecture, config, data
        self._checkpoints = checkpoints
        self._steps_per_call = steps_per_call
        self._after_epoch = after_epoch

    def run(self, run_id: str) -> Progress:
        """Train to the end, from the run's last checkpoint if there is one; the network ends as it is last.

        Returns:
            The history, and which epoch was best; its weights are in the checkpoint `best`.
        """
        reached, optimizer_values = Progress(run=run_id), None
        if found := self._checkpoints.load("last", run_id):
            reached, network_values, optimizer_values = found
            restore(self._network, network_values)
            log("going on from the last checkpoint", epochs=len(reached.history))
        for number, phase in enumerate(plan(self._config)):
            if reached.phase == number and reached.epoch < phase.epochs:
                reached = self._phase(phase, reached, optimizer_values)
            if reached.phase == number:
                reached = reached.model_copy(update={"phase": number + 1, "epoch": 0})
                optimizer_values = None
        return reached

    def _phase(self, phase: Phase, reached: Progress, optimizer_values: Any) -> Progress:
        task = make_task(phase, self._network, self._architecture, self._config, self._data)
        steps = self._data.batch.steps(self._data.index.examples("train"))
        with self._strategy.scope():
            optimizer = make_optimizer(self._config, phase.learning_rate, steps * phase.epochs)
        train = train_steps(self._strategy, task.network, optimizer, self._config.clip_norm)
        measure = evaluation_steps(self._strategy, task.network)
        if reached.epoch and optimizer_values:
            restore(optimizer, optimizer_values)
        while reached.epoch < phase.epochs:
            row = self._epoch(phase, task, len(reached.history), reached.epoch, train, measure)
            _check(row)
            row["learning_rate"] = float(optimizer.learning_rate)
            reached = self._keep(reached, row, optimizer)
        return reached

    def _epoch(self, phase: Phase, task: Task, before: int, epoch: int, train: Steps, measure: Steps) -> Row:
        index = self._data.index
        what = f"{phase.name}, epoch {epoch + 1} of {phase.epochs}"
        wall, cpu = time.perf_counter(), time.process_time()
        trained = self._pass(train, task.training(epoch), index.examples("train"), what)
        seconds = time.perf_counter() - wall
        validated = self._pass(measure, task.validation(), index.examples("val"), None)
        return {
            "epoch": before + 1,
            **_means(trained),
            **{f"val_{name}": value for name, value in _means(validated).items()},
            "images_per_second": round(trained.examples / seconds, 1),
            "seconds": round(time.perf_counter() - wall, 2),
            "cpu_seconds": round(time.process_time() - cpu, 2),
            "seconds_waiting": round(trained.seconds_waiting, 2),
        }

    def _pass(self, steps: Steps, batches: Any, examples: int, what: str | None) -> Totals:
        iterator = iter(self._strategy.experimental_distribute_dataset(batches))
        calls = list(in_calls(self._data.batch.steps(examples), self._steps_per_call))
        totals = Totals()
        for count in progress(calls, total=len(calls), what=what, unit="call") if what else calls:
            totals = totals.plus(steps(iterator, count))
        return totals

    def _keep(self, reached: Progress, row: Row, optimizer: Any) -> Progress:
        better = reached.best is None or _score(row) > _score(reached.best)
        now = reached.model_copy(
            update={
                "epoch": reached.epoch + 1,
                "history": (*reached.history, row),
                "best": row if better else reached.best,
            }
        )
        # The best first: killed between the two, this epoch is done again and finds the same.
        if better:
            self._checkpoints.save("best", now, self._network)
        self._checkpoints.save("last", now, self._network, optimizer)
        self._after_epoch(now)
        return now


def _means(totals: Totals) -> Row:
    return {"loss": totals.loss / totals.examples, "accuracy": totals.correct / totals.examples}


def _check(row: Row) -> None:
    if not math.isfinite(row["loss"] + row["val_loss"]):
        raise StageError(
            f"the training diverged in epoch {row['epoch']:.0f} (its loss is no number): choose another "
            "--output and a lower --learning-rate, or --precision float32"
        )


def _score(row: Row) -> tuple[float, float]:
    """Higher is better: by accuracy on the validation split, then by its loss."""
    return row["val_accuracy"], -row["val_loss"]
