"""A route: an address, the type of its body and who answers it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

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
