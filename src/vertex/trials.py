"""The trials of a tuning job, as they come, and the best of those that are done."""

from typing import TYPE_CHECKING, Any

from contracts.console import log

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1.types import HyperparameterTuningJob, Trial

    from vertex.service import Job


class Trials:
    """What has been told of a job's trials; a custom job has none."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    def show_new(self, job: "Job") -> None:
        """Tell of each trial that began or ended since the last time."""
        for trial in getattr(job, "trials", ()):
            state = trial.state.name
            if self._told.get(trial.id) != state:
                self._told[trial.id] = state
                reason = {"reason": trial.infeasible_reason} if trial.infeasible_reason else {}
                log("trial", trial=trial.id, state=state, **values(trial), **measured(trial), **reason)


def best(job: "HyperparameterTuningJob") -> "Trial | None":
    """The trial that did best at what the study is for; None where none was measured to its end."""
    metric = job.study_spec.metrics[0]
    done = [
        trial
        for trial in job.trials
        if trial.state.name == "SUCCEEDED" and metric.metric_id in measured(trial)
    ]
    if not done:
        return None
    choose = max if metric.goal.name == "MAXIMIZE" else min
    return choose(done, key=lambda trial: measured(trial)[metric.metric_id])


def values(trial: "Trial") -> dict[str, Any]:
    """What a trial was given, by parameter."""
    return {parameter.parameter_id: parameter.value for parameter in trial.parameters}


def measured(trial: "Trial") -> dict[str, float]:
    """What a trial came to, by metric."""
    return {metric.metric_id: metric.value for metric in trial.final_measurement.metrics}
