"""Compares what a dry run printed with what was sent."""

import json
from collections.abc import Sequence
from typing import Any

from contracts.errors import StageError
from rehearsal.vertex_ai import Recorded
from rehearsal.vertex_ai.recording import masked_document


class RequestsDifferError(StageError):
    """A dry run printed something else than what was sent."""


def same_requests(shown: str, sent: Sequence[Recorded]) -> None:
    """Compare the bodies on a dry run's standard output with those of requests, but for the time in names.

    Raises:
        RequestsDifferError: they aren't the same, in the same order.
    """
    expected = [masked_document(body) for body in bodies(shown)]
    got = [masked_document(request.body) for request in sent if request.body is not None]
    if expected != got:
        raise RequestsDifferError(
            f"--dry-run printed\n{json.dumps(expected, indent=2)}\n"
            f"and this was sent:\n{json.dumps(got, indent=2)}"
        )


def bodies(shown: str) -> list[Any]:
    """The JSON documents in a text, one behind the other."""
    found, position = [], 0
    decoder = json.JSONDecoder()
    while (position := _next(shown, position)) < len(shown):
        document, position = decoder.raw_decode(shown, position)
        found.append(document)
    return found


def _next(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position
