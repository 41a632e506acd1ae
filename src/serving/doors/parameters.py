"""What a request may ask beside its images: `top_k` and `threshold`.

A form gives them as text, JSON as numbers, Vertex AI's protobufs every number as a float (3.0).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from serving.errors import MalformedError
from serving.settings import Settings


class Parameters(NamedTuple):
    """How the answer is told."""

    top_k: int
    """Classes of each image's answer."""
    threshold: float
    """0…1; below it the best class is told as not sure."""

    @classmethod
    def read(cls, values: Any, settings: Settings) -> Self:
        """Take them from a form's fields or from a JSON object; what is missing or empty is the server's own.

        Raises:
            MalformedError: one of them can't be.
        """
        if not isinstance(values, Mapping):
            raise MalformedError(f"expected an object of parameters, got {type(values).__name__}")
        top_k, threshold = values.get("top_k"), values.get("threshold")
        return cls(
            settings.top_k if top_k in (None, "") else _whole(top_k),
            settings.threshold if threshold in (None, "") else _share(threshold),
        )


def _whole(value: Any) -> int:
    number = _number(value)
    if not (number >= 1 and number.is_integer()):
        raise MalformedError(f"expected top_k as a whole number from 1, got {str(value)[:40]!r}")
    return int(min(number, 1 << 31))


def _share(value: Any) -> float:
    number = _number(value)
    if not 0 <= number <= 1:
        raise MalformedError(f"expected threshold as a number from 0 to 1, got {str(value)[:40]!r}")
    return number


def _number(value: Any) -> float:
    try:
        return float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return float("nan")
