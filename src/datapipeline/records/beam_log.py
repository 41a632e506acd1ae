"""What Beam and its runners write through `logging`, told as every command here tells things."""

import contextlib
import logging
import re
from collections.abc import Iterator

from contracts.console import log

_STEP = re.compile(r" \[while running \\?'[^']*'\]")
_WORKERS = re.compile(r'^(?:Worker: )?severity: .*?\bmessage: "(.*?)(?:\\n|"\s)', re.DOTALL)
"""What a worker logged, as runners repeat it."""
_RPC_DETAILS = re.compile(r'^\s*details = "(.*)"$', re.MULTILINE)
_OF_NO_USE = ("Error processing instruction", "Error running pipeline.")
"""They come with every error, which is told anyway."""


def last_line(error: BaseException) -> str:
    """What an exception of Beam comes down to: type and message, or the last line of a traceback in it."""
    text = str(error)
    of_another = "Traceback (most recent call last)" in text or isinstance(error, RuntimeError)
    return _essence(text) if of_another else f"{type(error).__name__}: {_essence(text)}"


@contextlib.contextmanager
def as_events() -> Iterator[None]:
    """Report warnings and errors as one line each, none of them twice, for as long as the block lasts."""
    with _only_handler(_Events(logging.WARNING)):
        yield


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Report nothing for as long as the block lasts."""
    with _only_handler(logging.NullHandler()):
        yield


def _essence(text: str) -> str:
    """The one line of a message that says what happened: the last of a traceback, the first of others.

    Dataflow's ends with a colon, and what it announces stands below.
    """
    if workers := _WORKERS.match(text):
        text = workers[1]
    if details := _RPC_DETAILS.search(text):
        return details[1]
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [""]
    if "Traceback (most recent call last)" in text:
        line = lines[-1]
    else:
        line = " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]
    return _STEP.sub("", line)[:500]


class _Events(logging.Handler):
    def __init__(self, level: int) -> None:
        super().__init__(level)
        self._told: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.levelno < logging.ERROR and _WORKERS.match(text):
            return  # workers warn at every start, of how Beam itself called them
        said = _essence(text)
        if said not in self._told and not said.startswith(_OF_NO_USE):
            self._told.add(said)
            log("beam", level=record.levelname.lower(), said=said)


@contextlib.contextmanager
def _only_handler(handler: logging.Handler) -> Iterator[None]:
    root = logging.getLogger()
    before, root.handlers[:] = root.handlers[:], [handler]
    try:
        yield
    finally:
        root.handlers[:] = before
