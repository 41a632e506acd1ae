"""A hyperparameter tuning job at work: its trials, and what becomes of them."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from google.cloud.aiplatform_v1 import types

from rehearsal.vertex_ai.bodies import copy
from rehearsal.vertex_ai.custom_jobs import ENDED, finish, shown
from rehearsal.vertex_ai.job import Job, Machines
from rehearsal.vertex_ai.logs import Logs
from rehearsal.vertex_ai.progress import Progress
from rehearsal.vertex_ai.study import suggestions


class Tuning:
    """A tuning job at work: it starts a trial whenever there is room for one, until there are enough."""

    def __init__(
        self, message: Any, run: Callable[[Job], None], machines: Machines, logs: Logs, seed: int = 0
    ) -> None:
        self.message, self.run, self.machines, self.logs = message, run, machines, logs
        self.progress = Progress("QUEUED", "PENDING")
        self.cancelled = threading.Event()
        self.trials: list[tuple[Job, Any]] = []
        self._points: Iterator[dict[str, object]] = suggestions(message.study_spec, seed)
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start as many trials as may run at once."""
        with self._lock:
            self._fill()

    def stop(self) -> None:
        """Cancel the trials."""
        self.cancelled.set()
        with self._lock:
            for job, _ in self.trials:
                job.cancelled.set()

    def view(self) -> Any:
        """The job in its next state, and each trial in its next; its end is seen after theirs."""
        with self._lock:
            trials: list[Any] = []
            for job, trial in self.trials:
                active = sum(one.state.name == "ACTIVE" for one in trials)
                if active == self.message.parallel_trial_count:
                    break  # the next one isn't seen before another was seen to end
                trials.append(trial_view(job, trial))
            settled = all(job.progress.settled for job, _ in self.trials)
        hold = self.progress.last in ENDED and not settled and self.progress.shown == "RUNNING"
        view = shown(self.message, self.progress.shown if hold else self.progress.look())
        view.trials = trials
        return view

    def _fill(self) -> None:
        running = sum(job.progress.last not in ENDED for job, _ in self.trials)
        failed = sum(trial.state.name == "INFEASIBLE" for _, trial in self.trials)
        most_failed = self.message.max_failed_trial_count or self.message.max_trial_count
        done = self.cancelled.is_set() or failed >= most_failed
        while not done and running < self.message.parallel_trial_count:
            if len(self.trials) == self.message.max_trial_count:
                break
            point = next(self._points, None)
            if point is None:  # the grid has no more
                break
            self._start_trial(point)
            running += 1
        if not running:
            self._finish(failed, most_failed)

    def _start_trial(self, point: dict[str, object]) -> None:
        message, number = self.message, str(len(self.trials) + 1)
        job = Job(
            name=message.name,
            number=message.name.rpartition("/")[2],
            display_name=message.display_name,
            spec=copy(message.trial_job_spec),
            labels=dict(message.labels),
            trial=number,
            parameters=point,
            progress=Progress("PENDING"),
            logs=self.logs,
        )
        trial = types.Trial(
            name=f"{message.name}/trials/{number}",
            id=number,
            state="ACTIVE",
            parameters=[{"parameter_id": key, "value": value} for key, value in point.items()],
            start_time=datetime.now(UTC),
        )
        self.trials.append((job, trial))
        self.progress.add("RUNNING")
        self.machines.start(job, self.run, lambda _, state, text: self._ended(job, trial, state, text))

    def _ended(self, job: Job, trial: Any, state: str, text: str) -> None:
        with self._lock:
            trial.end_time = datetime.now(UTC)
            trial.measurements = [measurement(job, trial, step) for step in sorted(job.measured)]
            wanted = {metric.metric_id for metric in self.message.study_spec.metrics}
            reported = {metric for values in job.measured.values() for metric in values}
            if state == "SUCCEEDED" and wanted <= reported:
                trial.final_measurement = final(self.message.study_spec, trial)
                trial.state = "SUCCEEDED"
            else:
                missing = ", ".join(sorted(wanted - reported))
                trial.infeasible_reason = text or f"Trial ended without reporting the metric {missing}"
                trial.state = "INFEASIBLE"
                state = "FAILED" if state == "SUCCEEDED" else state
            job.progress.add(state)
            self._fill()

    def _finish(self, failed: int, most_failed: int) -> None:
        if self.cancelled.is_set():
            state, text = "CANCELLED", "CANCELED"
        elif failed >= most_failed:
            state, text = "FAILED", f"{failed} trials failed: the most recent: {self._last_reason()}"
        else:
            state, text = "SUCCEEDED", ""
        finish(self.progress, self.message, state, text)

    def _last_reason(self) -> str:
        reasons = [trial.infeasible_reason for _, trial in self.trials if trial.infeasible_reason]
        return str(reasons[-1])


def trial_view(job: Job, trial: Any) -> Any:
    """A trial in its next state: what came of it only once that is its end."""
    state = job.progress.look()
    if state in ENDED:
        return copy(trial)
    view = types.Trial(name=trial.name, id=trial.id, state="ACTIVE", start_time=trial.start_time)
    view.parameters = trial.parameters
    return view


def measurement(job: Job, trial: Any, step: int) -> Any:
    """What a trial reported at a step."""
    return types.Measurement(
        step_count=step,
        elapsed_duration=max(datetime.now(UTC) - trial.start_time, timedelta()),
        metrics=[{"metric_id": key, "value": value} for key, value in job.measured[step].items()],
    )


def final(study: Any, trial: Any) -> Any:
    """The measurement that counts: the last, or the best where the study says so."""
    goal = study.metrics[0]
    complete = [one for one in trial.measurements if any(m.metric_id == goal.metric_id for m in one.metrics)]
    if study.measurement_selection_type.name != "BEST_MEASUREMENT":
        return complete[-1]
    sign = 1 if goal.goal.name == "MAXIMIZE" else -1

    def value(one: Any) -> float:
        return float(
            next(sign * metric.value for metric in one.metrics if metric.metric_id == goal.metric_id)
        )

    return max(complete, key=value)
