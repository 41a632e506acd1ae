"""What a benchmark says, in Markdown: tables with every repeat, and targets with what was measured."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

MB: Final = 1e6


@dataclass(frozen=True)
class Target:
    """A bound that a figure must keep."""

    what: str
    measured: float
    bound: float
    at_least: bool = True
    unit: str = "x"

    @property
    def met(self) -> bool:
        """Whether it is kept."""
        return self.measured >= self.bound if self.at_least else self.measured <= self.bound

    def row(self) -> list[str]:
        """Its line of the table."""
        sign = "≥" if self.at_least else "≤"
        digits = 2 if self.unit in ("x", "points", "s", "ms") else 0
        return [
            self.what,
            f"{sign} {self.bound:g}{_unit(self.unit)}",
            f"{self.measured:.{digits}f}{_unit(self.unit)}",
            "yes" if self.met else "**no**",
        ]


@dataclass(frozen=True)
class Section:
    """A case: its heading, paragraphs and tables, and the targets that it settles."""

    title: str
    blocks: Sequence[str]
    targets: Sequence[Target] = field(default_factory=tuple)

    def markdown(self) -> str:
        """The whole section."""
        return "\n\n".join([f"## {self.title}", *self.blocks])


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; every column but the first is aligned to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def targets_table(targets: Iterable[Target]) -> str:
    """The table of the targets."""
    return table(["target", "wanted", "measured", "met"], [target.row() for target in targets])


def each(values: Iterable[float], digits: int = 2) -> str:
    """Every repeat's value, in the order in which they were measured."""
    return " ".join(f"{value:.{digits}f}" for value in values)


def _unit(unit: str) -> str:
    return unit if unit == "x" else f" {unit}"
