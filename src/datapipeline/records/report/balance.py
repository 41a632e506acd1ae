"""How many images each class has."""

from statistics import median_low
from typing import Final, NamedTuple

from contracts.dataset import SPLITS, Manifest, Split

ALL: Final = 60
"""Classes up to which each has its bar; of more only the largest and the smallest have."""

FEW: Final = 5
"""Images in test below which a class' scores say little."""

_ENDS: Final = 25
_POINTS: Final = 200


class ClassRow(NamedTuple):
    """One class."""

    name: str
    counts: dict[Split, int]
    total: int


class Balance(NamedTuple):
    """All classes, from the largest to the smallest."""

    largest: list[ClassRow]
    smallest: list[ClassRow]
    """Empty, where `largest` holds all of them."""
    between: int
    """Classes that are in neither."""
    images_between: int
    first: ClassRow
    last: ClassRow
    median: int
    ratio: float
    """Of the largest class over the smallest."""
    curve: list[tuple[float, float]]
    """Of many classes: their sizes in order, as points in percent of the chart's sides."""
    few_to_test: list[str]
    """Classes with fewer than `FEW` images in test."""


def balance(manifest: Manifest) -> Balance:
    """Sort and compare the classes."""
    rows = sorted((_row(manifest, name) for name in manifest.class_names), key=lambda row: -row.total)
    many = len(rows) > ALL
    largest, smallest = (rows[:_ENDS], rows[-_ENDS:]) if many else (rows, [])
    between = rows[_ENDS:-_ENDS] if many else []
    return Balance(
        largest,
        smallest,
        len(between),
        sum(row.total for row in between),
        rows[0],
        rows[-1],
        median_low(row.total for row in rows),
        rows[0].total / max(1, rows[-1].total),
        _curve([row.total for row in rows]) if many else [],
        [row.name for row in rows if row.counts["test"] < FEW],
    )


def ratio(number: float) -> str:
    """A ratio as people read it."""
    return f"{number:.1f}".removesuffix(".0") if number < 100 else f"{number:,.0f}"


def _row(manifest: Manifest, name: str) -> ClassRow:
    counts = {split: manifest.counts[split][name] for split in SPLITS}
    return ClassRow(name, counts, sum(counts.values()))


def _curve(totals: list[int]) -> list[tuple[float, float]]:
    points = min(_POINTS, len(totals))
    places = [index * (len(totals) - 1) // (points - 1) for index in range(points)]
    return [(100 * place / (len(totals) - 1), 100 - 100 * totals[place] / totals[0]) for place in places]
