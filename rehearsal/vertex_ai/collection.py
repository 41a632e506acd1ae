"""Resources of one kind, under the names that the service gives them."""

import itertools
from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar

from rehearsal.vertex_ai.bodies import document
from rehearsal.vertex_ai.errors import RefusedError, invalid, missing
from rehearsal.vertex_ai.filters import matcher

PROJECT_NUMBER: Final = "123456789012"
"""The service answers with the project's number, whichever name it was asked by."""

DEFAULT_PAGE: Final = 100

Item = TypeVar("Item")

_numbers = itertools.count(4_560_000_000_000_000_001)


def new_number() -> str:
    """A number as the service makes them: 19 digits, never the same twice."""
    return str(next(_numbers))


def location(where: Mapping[str, str]) -> str:
    """Under what an address's resources stand."""
    return f"projects/{PROJECT_NUMBER}/locations/{where['region']}"


class Collection(Generic[Item]):
    """Resources by name, in the order in which they came."""

    def __init__(self, kind: str):
        self.kind = kind
        self.items: dict[str, Item] = {}

    def name(self, where: Mapping[str, str], number: str | None = None) -> str:
        """The full name of the resource that an address names."""
        return f"{location(where)}/{self.kind}/{number or where['id']}"

    def add(self, name: str, item: Item) -> None:
        """Keep a new resource."""
        if name in self.items:
            raise RefusedError(409, f"The resource {name} already exists.")
        self.items[name] = item

    def get(self, where: Mapping[str, str]) -> Item:
        """The resource that an address names."""
        return self.named(self.name(where))

    def named(self, name: str) -> Item:
        """The resource of a full name; the project may be its id or its number."""
        parts = name.split("/")
        parts[1:2] = [PROJECT_NUMBER]
        try:
            return self.items["/".join(parts)]
        except KeyError:
            raise missing(name) from None

    def remove(self, where: Mapping[str, str]) -> Item:
        """Forget the resource that an address names."""
        self.get(where)
        return self.items.pop(self.name(where))

    def under(self, where: Mapping[str, str]) -> list[Item]:
        """The resources of a location, newest first."""
        prefix = f"{location(where)}/{self.kind}/"
        return [item for name, item in reversed(self.items.items()) if name.startswith(prefix)]


def page(messages: list[Any], query: Mapping[str, str], field: str, kind: Any) -> Any:
    """Answer a listing: of `messages` those that the filter takes, a page at a time.

    Args:
        messages: all of them.
        query: pageSize, pageToken and filter.
        field: where the answer holds them.
        kind: the answer's type.
    """
    keep = matcher(query.get("filter", ""), _enums(kind, field))
    found = [message for message in messages if keep(document(message, proto_names=True))]
    size = int(query.get("pageSize") or DEFAULT_PAGE)
    token = query.get("pageToken") or "0"
    if not token.isdecimal() or size < 0:
        raise invalid("Page token or page size is invalid.")
    first = int(token)
    last = first + (size or DEFAULT_PAGE)
    return kind(**{field: found[first:last]}, next_page_token=str(last) if last < len(found) else "")


def _enums(kind: Any, field: str) -> dict[str, list[str]]:
    """The values of those fields of a listing's messages that are enums, by the field's name."""
    listed = kind.pb(kind()).DESCRIPTOR.fields_by_name[field].message_type
    return {each.name: list(each.enum_type.values_by_name) for each in listed.fields if each.enum_type}
