"""What the acts have in common: they run commands, after their dry runs, and tell what they compared."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from contracts.errors import StageError
from rehearsal.checkout import Commands
from rehearsal.containers import Containers
from rehearsal.requests import RequestsDifferError, same_requests
from rehearsal.vertex_ai import Recorded, VertexAI


class DisagreementError(StageError):
    """What was compared isn't the same."""


@dataclass
class Play:
    """What every act works with."""

    commands: Commands
    vertex: VertexAI
    containers: Containers
    secret: str
    """What must stand nowhere."""
    images: Sequence[str]
    """What was built for it."""
    announce: Callable[[str], None]

    @contextmanager
    def act(self, name: str) -> Iterator[list[str]]:
        """Time a step; what it appends to the list is what it compared."""
        compared, started = list[str](), time.monotonic()
        yield compared
        seconds = time.monotonic() - started
        self.announce("\n          ".join([f"{seconds:6.1f} s  {name}", *compared]))

    def make(self, target: str, *variables: str, options: str = "") -> list[Recorded]:
        """Run a target of the Makefile on Vertex AI, after its dry run; the requests that it sent."""
        target_line = ("make", target, "RUN=vertex", *variables)
        given = f"VERTEX_ARGS={options}".rstrip()
        return self._as_shown(
            lambda: self.commands(*target_line, f"{given} --dry-run"),
            lambda: self.commands(*target_line, given),
        )

    def vertex_command(self, *arguments: str) -> list[Recorded]:
        """Run `python -m vertex …` after its dry run; the requests that it sent."""
        return self._as_shown(
            lambda: self.commands.python("-m", "vertex", *arguments, "--dry-run"),
            lambda: self.commands.python("-m", "vertex", *arguments),
        )

    def _as_shown(self, show: Callable[[], str], send: Callable[[], str]) -> list[Recorded]:
        before = len(self.vertex.requests)
        shown = show()
        if changing := writes(self.vertex.requests[before:]):
            raise RequestsDifferError(f"--dry-run sent {changing[0].method} {changing[0].path}")
        before = len(self.vertex.requests)
        send()
        sent = writes(self.vertex.requests[before:])
        same_requests(shown, sent)
        return sent


def writes(requests: list[Recorded]) -> list[Recorded]:
    """The requests that change something; reading the logs is a POST, too."""
    return [one for one in requests if one.method != "GET" and not one.path.startswith("/v2/entries")]
