"""The tuning job that a search space becomes: trials of one training, each with values of its own."""

from datetime import datetime
from typing import TYPE_CHECKING

from contracts.console import log
from contracts.errors import InputError
from contracts.search_space import SearchSpace
from vertex.jobs.environment import refuse_secrets
from vertex.jobs.job import display_name, job_spec, labels
from vertex.jobs.job_options import JobOptions
from vertex.settings import Settings
from vertex.stages import Task
from vertex.wire import request_json

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1.types import HyperparameterTuningJob, StudySpec

METRICS = {"val_accuracy": "MAXIMIZE", "val_loss": "MINIMIZE"}
"""What the training reports, and which way is better."""
ARCHITECTURE = ("model", "architecture")
"""Parameters that choose the architecture, which here is the image."""


def tuning_job(
    task: Task,
    space: SearchSpace,
    options: JobOptions,
    settings: Settings,
    *,
    now: datetime,
    trials: int | None = None,
    parallel: int | None = None,
) -> "HyperparameterTuningJob":
    """Build the job. `task` is what every trial runs, `trials` and `parallel` go before what the space says.

    Raises:
        InputError: the space can't be searched so, an option can't be used, or a secret stands in it.
    """
    from google.cloud.aiplatform_v1.types import HyperparameterTuningJob

    _check(space, task)
    wanted = trials or space.max_trial_count
    job = HyperparameterTuningJob(
        display_name=display_name("tune", task, now),
        labels=labels(task, options) | {"stage": "tune"},
        study_spec=study_spec(space),
        max_trial_count=wanted,
        parallel_trial_count=min(parallel or space.parallel_trial_count, wanted),
        max_failed_trial_count=min(space.max_failed_trial_count, wanted),
        trial_job_spec=job_spec(task, options, settings),
    )
    refuse_secrets(request_json(job))
    return job


def study_spec(space: SearchSpace) -> "StudySpec":
    """The search as the service takes it; a trial counts by its best epoch, which it exports."""
    from google.cloud.aiplatform_v1.types import StudySpec
    from google.protobuf.json_format import ParseDict

    spec = StudySpec()
    ParseDict(space.to_study_spec(), StudySpec.pb(spec))
    kind = StudySpec.MeasurementSelectionType
    if spec.measurement_selection_type == kind.LAST_MEASUREMENT:
        log("LAST_MEASUREMENT isn't what counts: a trial is worth its best epoch, which it exports")
    spec.measurement_selection_type = kind.BEST_MEASUREMENT
    return spec


def _check(space: SearchSpace, task: Task) -> None:
    metric = space.metric
    if METRICS.get(metric.metric_id) != metric.goal:
        ways = " or ".join(f"{name} with {goal}" for name, goal in METRICS.items())
        raise InputError(f"expected the metric {ways}, got {metric.metric_id} with {metric.goal}")
    given = {argument.partition("=")[0].replace("_", "-") for argument in task.arguments}
    for name in (parameter.parameter_id for parameter in space.parameters):
        option = name.replace("_", "-")
        if name in ARCHITECTURE:
            raise InputError(
                f"parameter {name}: on Vertex AI all trials run one image, which is one architecture; leave "
                "it out and tune each with --model, or search here: make tune"
            )
        if {f"--{option}", f"--no-{option}"} & given:
            raise InputError(f"parameter {name}: --{option} is given to every trial; leave one of them out")
