"""Filters of listings and of log entries: comparisons joined by AND, OR, NOT and parentheses.

This is the part that Cloud Logging's language and that of Vertex AI's listings share; a filter outside it is
refused.
"""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from operator import eq, ge, gt, le, lt
from types import MappingProxyType
from typing import Any, Final

from rehearsal.vertex_ai.errors import invalid

Matcher = Callable[[Mapping[str, Any]], bool]

SEVERITIES: Final = (
    "DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY",
)  # fmt: skip

OPERATORS: Final = {"!=", ":", "=~", "=", ">", "<", ">=", "<="}
RESERVED: Final = {*OPERATORS, "(", ")", "AND", "OR", "NOT"}
COMPARISONS: Final = {"=": eq, ">": gt, "<": lt, ">=": ge, "<=": le}

_TOKEN = re.compile(
    r"\s*(?:(?P<operator>>=|<=|!=|=~|[=<>:])|(?P<bracket>[()])|(?P<word>(?:\"(?:\\.|[^\"\\])*\"|[^\s()=<>!:\"])+))"
)
_STEP = re.compile(r"\"((?:\\.|[^\"\\])*)\"|([^.\"]+)")


def matcher(text: str, enums: Mapping[str, Collection[str]] = MappingProxyType({})) -> Matcher:
    """Read a filter; an empty one takes everything.

    Args:
        text: as it is in the request.
        enums: what fields may be compared with, by the field's name, where it is one of few.

    Raises:
        RefusedError: it can't be read.
    """
    parser = _Parser(_tokens(text), text, enums)
    if not parser.tokens:
        return lambda _: True
    found = parser.either()
    if parser.tokens:
        raise parser.unreadable()
    return found


def _tokens(text: str) -> list[str]:
    tokens, at, end = [], 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if not found:
            raise invalid(f"Unparseable filter: {text!r} at character {at}")
        tokens.append(found[0].strip())
        at = found.end()
    return tokens


class _Parser:
    """Recursive descent: OR binds weaker than AND, which may be left out between two comparisons."""

    def __init__(self, tokens: list[str], text: str, enums: Mapping[str, Collection[str]]):
        self.tokens, self.text, self.enums = tokens, text, enums

    def unreadable(self) -> Exception:
        rest = " ".join(self.tokens) or "the end"
        return invalid(f"Unparseable filter: {self.text!r} at {rest}")

    def take(self) -> str:
        if not self.tokens:
            raise self.unreadable()
        return self.tokens.pop(0)

    def follows(self, *words: str) -> bool:
        return bool(self.tokens) and self.tokens[0] in words

    def either(self) -> Matcher:
        sides = [self.both()]
        while self.follows("OR"):
            self.take()
            sides.append(self.both())
        return lambda entry: any(side(entry) for side in sides)

    def both(self) -> Matcher:
        sides = [self.single()]
        while self.tokens and not self.follows("OR", ")"):
            if self.follows("AND"):
                self.take()
            sides.append(self.single())
        return lambda entry: all(side(entry) for side in sides)

    def single(self) -> Matcher:
        if self.follows("NOT"):
            self.take()
            inner = self.single()
            return lambda entry: not inner(entry)
        if self.follows("("):
            self.take()
            inner = self.either()
            if self.take() != ")":
                raise self.unreadable()
            return inner
        return self.comparison()

    def comparison(self) -> Matcher:
        path, operator, value = self.take(), self.take(), self.take()
        if operator not in OPERATORS or RESERVED & {path, value}:
            raise self.unreadable()
        wanted = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
        if wanted not in self.enums.get(path, [wanted]):
            raise invalid(f"Invalid filter: {wanted!r} is no value of {path}")
        steps = [quoted or plain for quoted, plain in _STEP.findall(path)]
        return lambda entry: _compare(_find(entry, steps), operator, wanted)


def _find(entry: Any, steps: list[str]) -> Any:
    for step in steps:
        entry = entry.get(step) if isinstance(entry, Mapping) else None
    return entry


def _compare(found: Any, operator: str, wanted: str) -> bool:
    if operator == "!=":
        return not _compare(found, "=", wanted)
    if found is None:
        return False
    if operator == ":":
        return wanted == "*" or wanted in (found if isinstance(found, Mapping) else str(found))
    if operator == "=~":
        return re.search(wanted, str(found)) is not None
    left, right = _ordered(found), _ordered(wanted)
    if type(left) is not type(right):
        left, right = str(found), wanted
    return bool(COMPARISONS[operator](left, right))


def _ordered(value: Any) -> Any:
    """A value as it is ordered: severities by weight, times as times, numbers as numbers."""
    if isinstance(value, bool):
        return str(value).lower()
    if value in SEVERITIES:
        return SEVERITIES.index(value)
    for read in (Decimal, _time):
        try:
            return read(value)
        except (TypeError, ValueError, InvalidOperation):
            continue
    return value


def _time(value: str) -> datetime:
    time = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", value))
    return time if time.tzinfo else time.replace(tzinfo=UTC)
