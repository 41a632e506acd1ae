"""The trials of a tuning job, as they come, and the best of those that are done."""

import shlex
from typing import TYPE_CHECKING, Any

from contracts import storage
from contracts.console import log
from vertex.client import enum_name

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1.types import HyperparameterTuningJob, Trial

    from vertex.jobs.kinds import Job


class Trials:
    """What has been told of a job's trials; a custom job has none."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    @property
    def any(self) -> bool:
        """Whether the job has had one."""
        return bool(self._told)

    def show_new(self, job: "Job") -> None:
        """Tell of each trial that began or ended since the last time."""
        for trial in getattr(job, "trials", ()):
            state = enum_name(trial.state)
            if self._told.get(trial.id) != state:
                self._told[trial.id] = state
                reason = {"reason": trial.infeasible_reason} if trial.infeasible_reason else {}
                log("trial", trial=trial.id, state=state, **values(trial), **measured(trial), **reason)


def show_best(job: "HyperparameterTuningJob") -> None:
    """Tell of the best trial, and of the commands that judge and serve it; nothing while none is done."""
    trial = best(job)
    arguments = list(job.trial_job_spec.worker_pool_specs[0].container_spec.args) if trial else []
    if trial is None or "--input" not in arguments:  # the latter: somebody else's study
        return
    study = job.trial_job_spec.base_output_directory.output_uri_prefix
    model = storage.join(study, trial.id, "model")  # the trial's AIP_MODEL_DIR
    data = arguments[arguments.index("--input") + 1]
    gate = ["--model", model, "--input", data, "--champion", study.rstrip("/").rpartition("/")[0]]
    log(
        "best",
        trial=trial.id,
        **measured(trial),
        **values(trial),
        gate=shlex.join(["python", "-m", "models.trainer.gate", *gate]),
        serve=shlex.join(["python", "-m", "serving", "--model", model]),
    )


def best(job: "HyperparameterTuningJob") -> "Trial | None":
    """The trial that did best at what the study is for; None where none was measured to its end."""
    if not job.study_spec.metrics:
        return None
    metric = job.study_spec.metrics[0]
    done = [
        trial
        for trial in job.trials
        if enum_name(trial.state) == "SUCCEEDED" and metric.metric_id in measured(trial)
    ]
    if not done:
        return None
    choose = max if metric.goal.name == "MAXIMIZE" else min
    return choose(done, key=lambda trial: measured(trial)[metric.metric_id])


def values(trial: "Trial") -> dict[str, Any]:
    """What a trial was given, by parameter."""
    return {parameter.parameter_id: _short(parameter.value) for parameter in trial.parameters}


def measured(trial: "Trial") -> dict[str, float]:
    """What a trial came to, by metric."""
    return {metric.metric_id: metric.value for metric in trial.final_measurement.metrics}


def _short(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value
