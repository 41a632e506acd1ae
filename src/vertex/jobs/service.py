"""The conversation with Vertex AI about custom, tuning and pipeline jobs: create, find, look, cancel."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from contracts.console import log
from contracts.errors import InputError, StageError
from vertex.client import (
    OUTAGE_SECONDS,
    REQUEST_SECONDS,
    Pauses,
    brief,
    briefly,
    connect,
    enum_name,
    explained,
    patience,
)
from vertex.jobs.job import OURS
from vertex.jobs.kinds import KINDS, PIPELINES, Kind, chosen_name, collection, kind_of
from vertex.settings import Settings

if TYPE_CHECKING:
    from google.api_core.retry import Retry

    from vertex.jobs.kinds import Job


_NAME: Final = rf"projects/[\w.:-]+/locations/[\w-]+/({'|'.join(KINDS)})/[\w-]+"


class JobService:
    """The jobs of one project in one region.

    Raises, of every method:
        InputError: the service refuses.
        StageError: it can't be reached, or its answer can't be read.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._clients: dict[str, Any] = {}

    def create(self, job: "Job") -> "Job":
        """Submit a job. Not retried: a second try could start a second job."""
        kind = kind_of(job)
        arguments = {"parent": self.settings.parent, kind.verbs: job}
        if name := chosen_name(job):
            arguments[f"{kind.verbs}_id"] = name
        try:
            with explained(f"submitting to {self.settings.api_endpoint}"):
                return self._created(kind, arguments)
        except StageError as error:
            raise StageError(f"{error}; `make jobs` says whether {job.display_name} is there") from error

    def cancel(self, name: str) -> None:
        """Ask for a job's end; that of one that has ended changes nothing."""
        from google.api_core import exceptions

        with explained(f"cancelling {name}"):
            try:
                self._call(_kind(name), "cancel_{}", name=name)
            except exceptions.BadRequest:
                if not ending(self._get(name, briefly())):
                    raise

    def looks(self, name: str) -> "Iterator[Job]":
        """Look at a job until it has ended: at growing intervals while nothing changes."""
        pauses, seen, told = Pauses(), "", list[Exception]()

        def tell(error: Exception) -> None:
            if not told:
                log(
                    "the service can't be reached; trying on",
                    reason=brief(error),
                    minutes=OUTAGE_SECONDS / 60,
                )
            told.append(error)

        while True:
            told.clear()
            with explained(f"watching the job, which goes on (make follow JOB={name})"):
                job = self._get(name, patience(tell))
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
            with explained(f"looking for {job}"):
                return self._get(job, briefly())
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
        return self._listed(f'{OURS} AND create_time>="{since:%Y-%m-%dT%H:%M:%SZ}"')

    def active(self, *, patient: bool = True) -> "Iterator[Job]":
        """List those of our jobs that haven't ended."""
        for job in self._listed(OURS, active=True, patient=patient):
            if not ended(job):
                yield job

    def of_same_study(self, job: "Job") -> "Iterator[Job]":
        """List the jobs, ended ones too, of the same study as this one; none where it has no study."""
        if "study" in job.labels:
            study = job.labels["study"]
            yield from self._listed(f'{OURS} AND labels.study="{study}"')

    def _created(self, kind: Kind, arguments: dict[str, Any]) -> "Job":
        from google.api_core import exceptions

        try:
            return _named(self._call(kind, "create_{}", **arguments))
        except exceptions.Conflict as error:
            raise InputError(
                f"{arguments[kind.verbs].display_name} is there already, submitted in this very second: "
                "make jobs shows it; or submit again"
            ) from error

    def _get(self, name: str, retry: "Retry") -> "Job":
        from google.api_core import exceptions

        try:
            return _named(self._call(_kind(name), "get_{}", name=name, retry=retry))
        except exceptions.NotFound as error:
            raise InputError(f"{name} isn't there (any more): make jobs shows those that are") from error

    def _numbered(self, number: str) -> "Job | None":
        from google.api_core import exceptions

        for plural, kind in KINDS.items():
            if plural == PIPELINES:  # they have no numbers
                continue
            name = f"{self.settings.parent}/{plural}/{number}"
            with explained(f"looking for job {number}"):
                try:
                    return _named(self._call(kind, "get_{}", name=name, retry=briefly()))
                except exceptions.NotFound:
                    continue
        return None

    def _listed(self, only: str, *, active: bool = False, patient: bool = True) -> "Iterator[Job]":
        """List the jobs of all kinds that a filter lets through; with `active`, those that haven't ended."""
        for kind in KINDS.values():
            unended = [f'state!="{kind.states}{name}"' for name in kind.ended if active]
            request = {"parent": self.settings.parent, "filter": " AND ".join([only, *unended])}
            retry = briefly() if patient else None
            with explained("listing jobs"):
                yield from map(_named, self._call(kind, "list_{}s", request=request, retry=retry))

    def _call(self, kind: Kind, verb: str, **arguments: Any) -> Any:
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
    return state(job) in kind_of(job).ended


def ending(job: "Job") -> bool:
    """Whether it has ended, or was told to."""
    return ended(job) or state(job) == "CANCELLING"


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
    name = chosen_name(job)
    return f"{settings.parent}/{collection(job)}{f'?pipelineJobId={name}' if name else ''}"


def _named(job: "Job") -> "Job":
    """Check that an answer is a job, which has a name to ask for it by."""
    if not re.fullmatch(_NAME, job.name):
        raise ValueError(f"expected a job's name in it, got {job.name!r}")
    return job


def _kind(name: str) -> Kind:
    return KINDS[name.split("/")[4]]
