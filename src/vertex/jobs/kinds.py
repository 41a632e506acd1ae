"""The kinds of jobs that Vertex AI has: what each is called, and where it is."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1.types import CustomJob, HyperparameterTuningJob, PipelineJob

    Job: TypeAlias = CustomJob | HyperparameterTuningJob | PipelineJob


@dataclass(frozen=True)
class Kind:
    """How the service speaks of one kind of job."""

    message: str
    verbs: str
    """What the client's verbs are about."""
    client: str = "JobServiceClient"
    states: str = "JOB_STATE_"
    """How the names of its states begin."""
    ended: tuple[str, ...] = ("SUCCEEDED", "PARTIALLY_SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED")
    """The states after which nothing more happens."""
    page: str = "training"
    """Where in the console its page is."""


PIPELINES: Final = "pipelineJobs"

KINDS: Final = {
    "customJobs": Kind("CustomJob", "custom_job"),
    "hyperparameterTuningJobs": Kind("HyperparameterTuningJob", "hyperparameter_tuning_job"),
    PIPELINES: Kind(
        "PipelineJob",
        "pipeline_job",
        client="PipelineServiceClient",
        states="PIPELINE_STATE_",
        ended=("SUCCEEDED", "FAILED", "CANCELLED"),
        page="pipelines/runs",
    ),
}
"""By the collection in a job's name."""


def collection(job: "Job") -> str:
    """What a job is or becomes one of."""
    return next(name for name, kind in KINDS.items() if kind.message == type(job).__name__)


def kind_of(job: "Job") -> Kind:
    """A job's kind."""
    return KINDS[collection(job)]


def chosen_name(job: "Job") -> str:
    """The last part of a new job's name, where it is ours to choose; "" where the service gives a number."""
    return str(job.display_name) if collection(job) == PIPELINES else ""
