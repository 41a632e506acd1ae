"""What a check found, as one line."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How good it is. A warning is what may be meant, or what can't be known from here."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class Finding:
    """One line: of what, how good, and, where it isn't, what to do."""

    check: str
    status: Status
    message: str


@dataclass(frozen=True)
class Check:
    """Something to look at, under the name that its findings have."""

    name: str
    look: Callable[[], list[tuple[Status, str]]]


def ok(message: str) -> tuple[Status, str]:
    """It is as it should be."""
    return Status.OK, message


def warning(message: str) -> tuple[Status, str]:
    """It may be meant, or can't be known."""
    return Status.WARNING, message


def failed(message: str) -> tuple[Status, str]:
    """It keeps a stage from running."""
    return Status.FAILED, message
