"""The epochs of a run: train, validate, keep, tell; from wherever the last saved state left it."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from contracts.console import Bar, log
from contracts.errors import StageError
from models.trainer.checkpoints import Checkpoints, Progress, Row, restore, score
from models.trainer.config import Execution, TrainConfig
from models.trainer.devices import has_gpu
from models.trainer.interruption import Interruption
from models.trainer.loop import Steps, Totals, distributed, evaluation_steps, in_calls, train_steps
from models.trainer.optimizers import averaged, make_optimizer
from models.trainer.phases import Phase, Phases, Task
from models.trainer.profiling import Profile

SAVE, STOP = 1.0, 1e6
"""What a host asks of all: the sum over the replicas tells whether anyone wants to stop, or to save."""
STEPS_PER_CALL_ON_GPU = 8


@dataclass
class Training:
    """A phase under way: what its epochs need."""

    phase: Phase
    task: Task
    optimizer: Any
    train: Steps
    measure: Steps
    validation: Any
    """Its batches."""


class Fit:
    """A run's training."""

    def __init__(
        self,
        strategy: Any,
        network: Any,
        phases: Phases,
        config: TrainConfig,
        execution: Execution,
        checkpoints: Checkpoints,
        *,
        writes: bool,
        profile: Profile,
        after_epoch: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self._strategy, self._network, self._phases = strategy, network, phases
        self._config, self._execution, self._checkpoints = config, execution, checkpoints
        self._steps_per_call = execution.steps_per_call or (STEPS_PER_CALL_ON_GPU if has_gpu() else 1)
        self._writes, self._profile = writes, profile
        self._after_epoch = after_epoch
        self._interruption = Interruption()
        self._saved_at = time.monotonic()

    def run(self, reached: Progress, optimizer_values: Sequence[Any], plan: Sequence[Phase]) -> Progress:
        """Train to the end; the network ends as it is last.

        Args:
            reached: how far the run is; the network is as it was then.
            optimizer_values: the optimizer's, in the phase that is under way; empty at its beginning.
            plan: the run's phases.

        Returns:
            The history, and which epoch was best; its weights are in the checkpoint `best`.

        Raises:
            KeyboardInterrupt, Terminated: it was interrupted; the state is saved.
            StageError: the loss is no number any more.
        """
        for number, phase in enumerate(plan):
            if reached.phase == number and not self._finished(phase, reached):
                reached = self._phase(phase, reached, optimizer_values)
            if reached.phase == number:
                self._phases.forget()
                reached = reached.model_copy(update={"phase": number + 1, "epoch": 0})
                optimizer_values = ()
        return reached

    def _phase(self, phase: Phase, reached: Progress, optimizer_values: Sequence[Any]) -> Progress:
        config, task = self._config, self._phases.task(phase)
        with self._strategy.scope():
            optimizer = make_optimizer(config, phase.learning_rate, task.steps, phase.epochs)
        train = train_steps(
            self._strategy,
            task.network,
            optimizer,
            task.objective,
            clip_norm=config.clip_norm,
            accumulate=config.accumulate,
            xla=self._execution.xla,
        )
        measure = evaluation_steps(self._strategy, task.network, task.objective)
        if optimizer_values:
            restore(optimizer, optimizer_values)
        validation = distributed(self._strategy, task.validation)
        training = Training(phase, task, optimizer, train, measure, validation)
        # What comes before takes long where it computes features, and holds nothing that must be saved.
        with self._interruption.awaited():
            while not self._finished(phase, reached):
                reached = self._epoch(training, reached)
        return reached

    def _finished(self, phase: Phase, reached: Progress) -> bool:
        if reached.epoch >= phase.epochs:
            return True
        patience = self._config.early_stopping
        if not patience or not reached.epoch or reached.step or not reached.best:
            return False
        before = len(reached.history) - reached.epoch
        return len(reached.history) - max(int(reached.best["epoch"]), before) >= patience

    def _epoch(self, training: Training, reached: Progress) -> Progress:
        reached = self._train(training, reached)
        with averaged(training.task.network, training.optimizer):
            now = self._judge(training, reached)
        if now is None:
            self._stop(training, reached)
        self._save(training, now)
        self._after_epoch(now)
        return now

    def _judge(self, training: Training, reached: Progress) -> Progress | None:
        """Validate, and keep the weights if they are the best; None: it is time to stop."""
        clock = Clock()
        validated = self._validate(training)
        if validated.requests >= STOP:
            return None
        now = _judged(training, reached, validated, clock)
        # The best first: killed before the state is saved, this epoch is done again and finds the same.
        if now.best == now.history[-1] and self._writes:
            self._checkpoints.save_best(now, self._network)
        return now

    def _train(self, training: Training, reached: Progress) -> Progress:
        """The rest of an epoch's steps, with a saved state now and then."""
        task = training.task
        iterator = iter(distributed(self._strategy, task.training(reached.epoch, reached.step)))
        what = f"{training.phase.name}, epoch {reached.epoch + 1} of {training.phase.epochs}"
        with Bar(total=task.steps, what=what, unit="step", done=reached.step) as bar:
            for count in in_calls(task.steps - reached.step, self._steps_per_call):
                clock = Clock()
                with self._profile.call():
                    part = training.train(iterator, count, self._request())
                if not math.isfinite(part.loss + part.gradient_norm):
                    raise _diverged(reached)
                totals = Totals(*reached.totals).plus(part._replace(requests=0.0))
                reached = reached.model_copy(
                    update={
                        "step": reached.step + count,
                        "steps": reached.steps + count,
                        "totals": tuple(totals),
                        "seconds": reached.seconds + clock.seconds,
                        "cpu_seconds": reached.cpu_seconds + clock.cpu_seconds,
                    }
                )
                bar.advance(count, **_figures(totals, part, clock))
                if part.requests >= STOP:
                    self._stop(training, reached)
                if part.requests:
                    self._save(training, reached)
            bar.finish()
        return reached

    def _validate(self, training: Training) -> Totals:
        iterator = iter(training.validation)
        totals = Totals()
        for count in in_calls(training.task.validation_steps, self._steps_per_call):
            totals = totals.plus(training.measure(iterator, count, STOP if self._interruption.asked else 0.0))
            if totals.requests >= STOP:
                break
        return totals

    def _request(self) -> float:
        """What this host asks of all in the next call."""
        if self._interruption.asked:
            return STOP
        due = time.monotonic() - self._saved_at > self._execution.save_every * 60
        return SAVE if due and self._writes else 0.0

    def _stop(self, training: Training, reached: Progress) -> NoReturn:
        self._save(training, reached)
        log("stopped; the state is saved", epoch=len(reached.history) + 1, step=reached.step)
        self._interruption.stop()

    def _save(self, training: Training, reached: Progress) -> None:
        if self._writes:
            self._checkpoints.save_state(reached, self._network, training.optimizer)
        self._saved_at = time.monotonic()


class Clock:
    """Seconds since it was made, of the wall's clock and of this process."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    @property
    def seconds(self) -> float:
        """On the wall."""
        return time.perf_counter() - self._wall

    @property
    def cpu_seconds(self) -> float:
        """Of all cores."""
        return time.process_time() - self._cpu


def _judged(training: Training, reached: Progress, validated: Totals, clock: Clock) -> Progress:
    """The progress behind an epoch whose steps are done."""
    if not math.isfinite(validated.loss):
        raise _diverged(reached)
    trained = Totals(*reached.totals)
    row: Row = {
        "epoch": len(reached.history) + 1,
        "step": reached.steps,
        "phase": reached.phase + 1,
        **_means(trained),
        **{f"val_{name}": value for name, value in _means(validated).items()},
        "learning_rate": float(training.optimizer.learning_rate),
        "gradient_norm": trained.gradient_norm / training.task.steps,
        "images_per_second": round(trained.examples / reached.seconds, 1),
        "data_wait": round(trained.seconds_waiting / reached.seconds, 4),
        "seconds": round(reached.seconds + clock.seconds, 2),
        "cpu_seconds": round(reached.cpu_seconds + clock.cpu_seconds, 2),
    }
    better = reached.best is None or score(row) > score(reached.best)
    return Progress(
        run=reached.run,
        phase=reached.phase,
        epoch=reached.epoch + 1,
        steps=reached.steps,
        best=row if better else reached.best,
        history=(*reached.history, row),
    )


def _means(totals: Totals) -> Row:
    return {"loss": totals.loss / totals.examples, "accuracy": totals.correct / totals.examples}


def _figures(totals: Totals, part: Totals, clock: Clock) -> dict[str, Any]:
    """What the bar shows: the epoch's means so far, and how fast the last call was."""
    means = {name: f"{value:.4f}" for name, value in _means(totals).items()}
    return {**means, "images_per_second": round(part.examples / clock.seconds)}


def _diverged(reached: Progress) -> StageError:
    return StageError(
        f"the training diverged in epoch {len(reached.history) + 1}, behind step {reached.step}: the loss is "
        "no number. The state that was saved before stays; choose another --output and a lower "
        "--learning-rate, --clip-norm, or --precision float32"
    )
