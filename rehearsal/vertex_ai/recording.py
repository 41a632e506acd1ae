"""What the server heard, and how it reads in a snapshot."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

from rehearsal.vertex_ai.bodies import document

MASKS: Final = (
    (re.compile(r"\b\d{8}-\d{6}(?:-[0-9a-f]{2,8})?\b"), "DATE-TIME"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)"), "TIMESTAMP"),
    (re.compile(r"\b\d{19}\b"), "ID"),
    (re.compile(r"127\.0\.0\.1:\d+"), "LOOPBACK"),
)
"""What differs from run to run: time-stamped names, times, the service's numbers, ports."""


@dataclass
class Recorded:
    """One request; `message` is its body as Google's own type, where the body was one."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str] = field(repr=False)
    body: Any = None
    message: Any = field(default=None, repr=False)
    text: str = field(default="", repr=False)


def readable(recorded: Recorded) -> dict[str, Any]:
    """Write a request for people to compare with the documentation: enums by name, no ids or times."""
    body = document(recorded.message) if recorded.message is not None else recorded.body
    query = {name: value for name, value in recorded.query.items() if name != "$alt"}
    shown: dict[str, Any] = {"request": f"{recorded.method} {recorded.path}"}
    if query:
        shown["query"] = query
    if body is not None:
        shown["body"] = body
    masked: dict[str, Any] = masked_document(shown)
    return masked


def masked_document(value: Any) -> Any:
    """Mask every text in a document."""
    if isinstance(value, dict):
        masked: dict[str, Any] = {}
        for key, inner in value.items():
            name, number = masked_document(key), 2
            while name in masked:  # two ids among the keys stay two
                name, number = f"{masked_document(key)}-{number}", number + 1
            masked[name] = masked_document(inner)
        return masked
    if isinstance(value, list):
        return [masked_document(inner) for inner in value]
    if isinstance(value, str):
        for pattern, name in MASKS:
            value = pattern.sub(name, value)
    return value
