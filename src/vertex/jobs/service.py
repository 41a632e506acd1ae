"""The conversation with Vertex AI about custom, tuning and pipeline jobs: create, find, look, cancel."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from contracts.console import log
from contracts.errors import InputError, StageError
from vertex.client import (
    OUTAGE_SECONDS,
    REQUEST_SECONDS,
    Pauses,
    briefly,
    connect,
    enum_name,
    explained,
    named,
    patience,
)
from vertex.jobs.job import APP
from vertex.settings import Settings

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1.types import CustomJob, HyperparameterTuningJob, PipelineJob

    Job: TypeAlias = CustomJob | HyperparameterTuningJob | PipelineJob


@dataclass(frozen=True)
class _Kind:
    """How the service speaks of one kind of job."""

    message: str
    verbs: str
    """What the client's verbs are about."""
    client: str
    states: str
    """How the names of its states begin."""
    page: str
    """Where in the console its page is."""


PIPELINES: Final = "pipelineJobs"

KINDS: Final = {
    "customJobs": _Kind("CustomJob", "custom_job", "JobServiceClient", "JOB_STATE_", "training"),
    "hyperparameterTuningJobs": _Kind(
        "HyperparameterTuningJob", "hyperparameter_tuning_job", "JobServiceClient", "JOB_STATE_", "training"
    ),
    PIPELINES: _Kind(
        "PipelineJob", "pipeline_job", "PipelineServiceClient", "PIPELINE_STATE_", "pipelines/runs"
    ),
}
"""By the collection in a job's name."""

ENDED: Final = ("SUCCEEDED", "PARTIALLY_SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED")

_OURS: Final = " AND ".join(f"labels.{key}={value}" for key, value in APP.items())
_NAME: Final = rf"projects/[\w.:-]+/locations/[\w-]+/({'|'.join(KINDS)})/[\w-]+"


class JobService:
    """The jobs of one project in one region."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._clients: dict[str, Any] = {}

    def create(self, job: "Job") -> "Job":
        """Submit a job. Not retried: a second try could start a second job."""
        (kind,) = (kind for kind in KINDS.values() if kind.message == type(job).__name__)
        # A pipeline's run is called what we say, the others get a number.
        own_name = {"pipeline_job_id": job.display_name} if kind.verbs == "pipeline_job" else {}
        try:
            with explained(f"submitting to {self.settings.api_endpoint}"):
                created: Job = self._call(
                    kind, "create_{}", parent=self.settings.parent, **{kind.verbs: job}, **own_name
                )
                return named(created)
        except StageError as error:
            raise StageError(f"{error}; `make jobs` says whether {job.display_name} is there") from error

    def get(self, name: str) -> "Job":
        """Look at the job with this whole name; an outage is told of once, and waited for."""
        from google.api_core import exceptions

        told: list[Exception] = []

        def tell(error: Exception) -> None:
            if not told:
                told.append(error)
                log("the service can't be reached; trying on", reason=error, minutes=OUTAGE_SECONDS / 60)

        with explained(f"watching the job, which goes on (make follow JOB={name})"):
            try:
                job: Job = named(self._call(_kind(name), "get_{}", name=name, retry=patience(tell)))
            except exceptions.NotFound as error:
                raise InputError(f"{name} isn't there (any more): make jobs shows those that are") from error
        return job

    def cancel(self, name: str) -> None:
        """Ask for a job's end; that of one that has ended changes nothing."""
        with explained(f"cancelling {name}"):
            self._call(_kind(name), "cancel_{}", name=name)

    def looks(self, name: str) -> "Iterator[Job]":
        """Look at a job time and again until it has ended: at shrinking intervals while nothing changes."""
        pauses, seen = Pauses(), ""
        while True:
            job = self.get(name)
            yield job
            if ended(job):
                return
            if state(job) != seen:
                seen = state(job)
                pauses.again()
            pauses.sleep()

    def find(self, job: str) -> "Job":
        """Find a job by its whole name, its number or its display name.

        Raises:
            InputError: there is none.
        """
        if re.fullmatch(_NAME, job):
            return self.get(job)
        found = None
        if job.isdecimal():
            found = self._numbered(job)
        elif "/" not in job and '"' not in job:
            found = next(self._listed(f'display_name="{job}"'), None)
        if found is None:
            raise InputError(
                f"no job {job} in {self.settings.parent}: expected its number, its name or its display name; "
                "make jobs shows them"
            )
        return found

    def ours(self, since: datetime) -> "Iterator[Job]":
        """List our jobs that were created since then."""
        return self._listed(f'{_OURS} AND create_time>="{since:%Y-%m-%dT%H:%M:%SZ}"')

    def active(self, *, patient: bool = True) -> "Iterator[Job]":
        """List those of our jobs that haven't ended."""
        unended = [f'state!="{{states}}{name}"' for name in ENDED]
        for job in self._listed(" AND ".join([_OURS, *unended]), patient=patient):
            if not ended(job):
                yield job

    def studies(self, job: "Job") -> "Iterator[Job]":
        """List the jobs, ended ones too, of the same study as this one; none where it has no study."""
        if "study" in job.labels:
            yield from self._listed(f"{_OURS} AND labels.study={job.labels['study']}")

    def _numbered(self, number: str) -> "Job | None":
        from google.api_core import exceptions

        for collection, kind in KINDS.items():
            name = f"{self.settings.parent}/{collection}/{number}"
            with explained(f"looking for job {number}"):
                try:
                    job: Job = named(self._call(kind, "get_{}", name=name, retry=briefly()))
                except exceptions.NotFound:
                    continue
            return job
        return None

    def _listed(self, only: str, *, patient: bool = True) -> "Iterator[Job]":
        """List the jobs that a filter lets through; {states} in it is how a kind's states begin."""
        for kind in KINDS.values():
            with explained("listing jobs"):
                request = {"parent": self.settings.parent, "filter": only.replace("{states}", kind.states)}
                retry = briefly() if patient else None
                yield from map(named, self._call(kind, "list_{}s", request=request, retry=retry))

    def _call(self, kind: _Kind, verb: str, **arguments: Any) -> Any:
        from google.cloud import aiplatform_v1

        if kind.client not in self._clients:
            self._clients[kind.client] = connect(getattr(aiplatform_v1, kind.client), self.settings)
        call = getattr(self._clients[kind.client], verb.format(kind.verbs))
        return call(timeout=REQUEST_SECONDS, **arguments)


def state(job: "Job") -> str:
    """A job's state, as in RUNNING."""
    return enum_name(job.state).rpartition("STATE_")[2]


def ended(job: "Job") -> bool:
    """Whether nothing more will happen to it."""
    return state(job) in ENDED


def number(job: "Job") -> str:
    """The last part of a job's name."""
    return str(job.name).rpartition("/")[2]


def created(job: "Job") -> datetime:
    """When a job was submitted; long ago where the service doesn't say."""
    return job.create_time or datetime.fromtimestamp(0, UTC)


def console_link(job: "Job") -> str:
    """The job's page, with its logs, in the Google Cloud console."""
    _, project, _, region, _, number = job.name.split("/")
    page = _kind(job.name).page
    return f"https://console.cloud.google.com/vertex-ai/locations/{region}/{page}/{number}?project={project}"


def path(settings: Settings, job: "Job") -> str:
    """Where `JobService.create` posts a job."""
    own_name = f"?pipelineJobId={job.display_name}" if _collection(job) == PIPELINES else ""
    return f"{settings.parent}/{_collection(job)}{own_name}"


def _collection(job: "Job") -> str:
    return next(name for name, kind in KINDS.items() if kind.message == type(job).__name__)


def _kind(name: str) -> _Kind:
    return KINDS[name.split("/")[4]]
