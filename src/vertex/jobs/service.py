"""The conversation with Vertex AI's job service about custom and tuning jobs: create, find, look, cancel."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from contracts.console import log
from contracts.errors import InputError, StageError
from vertex.client import OUTAGE_SECONDS, REQUEST_SECONDS, Pauses, briefly, explained, patience
from vertex.jobs.job import APP
from vertex.settings import Settings

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1 import JobServiceClient
    from google.cloud.aiplatform_v1.types import CustomJob, HyperparameterTuningJob

    Job: TypeAlias = CustomJob | HyperparameterTuningJob

ENDED = ("SUCCEEDED", "PARTIALLY_SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED")

_OURS = " AND ".join(f"labels.{key}={value}" for key, value in APP.items())

VERBS = {"customJobs": "custom_job", "hyperparameterTuningJobs": "hyperparameter_tuning_job"}
"""By the collection in a job's name, what its verbs are about in the client."""

_NAME = rf"projects/[\w.:-]+/locations/[\w-]+/({'|'.join(VERBS)})/[\w-]+"


def create(client: "JobServiceClient", settings: Settings, job: "Job") -> "Job":
    """Submit a job. Not retried: a second try could start a second job."""
    kind = "custom_job" if hasattr(job, "job_spec") else "hyperparameter_tuning_job"
    try:
        with explained(f"submitting to {settings.api_endpoint}"):
            return _call(client, f"create_{kind}", parent=settings.parent, **{kind: job})
    except StageError as error:
        raise StageError(f"{error}; `make jobs` says whether {job.display_name} is there") from error


def get(client: "JobServiceClient", name: str) -> "Job":
    """Look at the job with this whole name; an outage is told of once, and waited for."""
    from google.api_core import exceptions

    told: list[Exception] = []

    def tell(error: Exception) -> None:
        if not told:
            told.append(error)
            log("the service can't be reached; trying on", reason=error, minutes=OUTAGE_SECONDS / 60)

    with explained(f"watching the job, which goes on (make follow JOB={name})"):
        try:
            return _call(client, f"get_{_kind(name)}", name=name, retry=patience(tell))
        except exceptions.NotFound as error:
            raise InputError(f"{name} isn't there (any more): make jobs shows those that are") from error


def cancel(client: "JobServiceClient", name: str) -> None:
    """Ask for a job's end; that of one that has ended changes nothing."""
    with explained(f"cancelling {name}"):
        _call(client, f"cancel_{_kind(name)}", name=name)


def looks(client: "JobServiceClient", name: str) -> Iterator["Job"]:
    """Look at a job time and again until it has ended: at shrinking intervals while nothing changes."""
    pauses, seen = Pauses(), ""
    while True:
        job = get(client, name)
        yield job
        if ended(job):
            return
        if state(job) != seen:
            seen = state(job)
            pauses.again()
        pauses.sleep()


def find(client: "JobServiceClient", settings: Settings, job: str) -> "Job":
    """Find a job by its whole name, its number or its display name.

    Raises:
        InputError: there is none.
    """
    from google.api_core import exceptions

    if re.fullmatch(_NAME, job):
        return get(client, job)
    if job.isdecimal():
        for collection, kind in VERBS.items():
            name = f"{settings.parent}/{collection}/{job}"
            with explained(f"looking for job {job}"):
                try:
                    return _call(client, f"get_{kind}", name=name, retry=briefly())
                except exceptions.NotFound:
                    continue
    elif "/" not in job and '"' not in job:
        found = next(listed(client, settings, f'display_name="{job}"'), None)
        if found is not None:
            return found
    raise InputError(
        f"no job {job} in {settings.parent}: expected its number, its name or its display name; "
        "make jobs shows them"
    )


def ours(client: "JobServiceClient", settings: Settings, since: datetime) -> "Iterator[Job]":
    """List our jobs that were created since then."""
    return listed(client, settings, f'{_OURS} AND create_time>="{since:%Y-%m-%dT%H:%M:%SZ}"')


def active(client: "JobServiceClient", settings: Settings, *, patient: bool = True) -> "Iterator[Job]":
    """List those of our jobs that haven't ended."""
    unended = [f'state!="JOB_STATE_{name}"' for name in ENDED]
    for job in listed(client, settings, " AND ".join([_OURS, *unended]), patient=patient):
        if not ended(job):
            yield job


def studies(client: "JobServiceClient", settings: Settings, job: "Job") -> "Iterator[Job]":
    """List the tuning jobs, ended ones too, that are of the same study as this one; none for a custom job."""
    if "study" in job.labels:
        yield from listed(client, settings, f"{_OURS} AND labels.study={job.labels['study']}")


def listed(
    client: "JobServiceClient", settings: Settings, only: str, *, patient: bool = True
) -> "Iterator[Job]":
    """List the jobs that a filter of the service's lets through, custom jobs first."""
    for kind in VERBS.values():
        with explained("listing jobs"):
            request = {"parent": settings.parent, "filter": only}
            yield from _call(client, f"list_{kind}s", request=request, retry=briefly() if patient else None)


def state(job: "Job") -> str:
    """A job's state, as in RUNNING."""
    name = getattr(job.state, "name", f"STATE_{job.state}")  # one that is newer than the client is a number
    return str(name).partition("STATE_")[2]


def ended(job: "Job") -> bool:
    """Whether nothing more will happen to it."""
    return state(job) in ENDED


def number(job: "Job") -> str:
    """The last part of a job's name."""
    return str(job.name).rpartition("/")[2]


def console_link(job: "Job") -> str:
    """The job's page, with its logs, in the Google Cloud console."""
    _, project, _, region, _, number = job.name.split("/")
    return (
        f"https://console.cloud.google.com/vertex-ai/locations/{region}/training/{number}?project={project}"
    )


def _kind(name: str) -> str:
    return VERBS[name.split("/")[4]]


def _call(client: "JobServiceClient", verb: str, **arguments: Any) -> Any:
    return getattr(client, verb)(timeout=REQUEST_SECONDS, **arguments)
