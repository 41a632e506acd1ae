"""A route: an address, the type of its body and who answers it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

LOCATION: Final = "/v1/projects/{project}/locations/{region}"


@dataclass(frozen=True)
class Call:
    """A request as a handler takes it: the address's parts, the query, and the body as Google's message."""

    where: Mapping[str, str]
    query: Mapping[str, str]
    message: Any
    body: bytes


@dataclass(frozen=True)
class Route:
    """Who answers `method path`; `kind` is the body's type, None where there is none.

    The answer is a message, a plain document or bytes that go out as they are.
    """

    method: str
    path: str
    handler: Callable[[Call], Any]
    kind: Any = None
    creates: bool = False


class Jobs(Protocol):
    """Who answers for a kind of jobs."""

    def create(self, call: Call) -> Any:
        """Take a job and start it."""

    def get(self, call: Call) -> Any:
        """Show a job in its next state."""

    def list(self, call: Call) -> Any:
        """List jobs as they are."""

    def cancel(self, call: Call) -> Any:
        """Ask a job to stop."""


def job_routes(jobs: Jobs, collection: str, job: Any, cancelling: Any) -> list[Route]:
    """What every kind of jobs answers to; `job` and `cancelling` are the types of its bodies."""
    several, one = f"{LOCATION}/{collection}", f"{LOCATION}/{collection}/{{id}}"
    return [
        Route("POST", several, jobs.create, job, creates=True),
        Route("GET", several, jobs.list),
        Route("POST", f"{one}:cancel", jobs.cancel, cancelling),
        Route("GET", one, jobs.get),
    ]
