"""Sizes, aspect ratios and formats of the images."""

import math
import sqlite3
from typing import Final, NamedTuple

from contracts.dataset import Manifest
from datapipeline.records.report.numbers import Bar, histogram, quantiles

_CELLS: Final = 36
_COMMON: Final = 8
_TICKS: Final = 6
_FORMATS: Final = 10
_RATIO_BINS: Final = 33
"""Odd, so that squares have a bin of their own."""

_RATIO: Final = "log_of(width * 1.0 / height)"
_WIDEST: Final = 4
_RATIO_TICKS: Final = ("1:3", "1:2", "2:3", "1:1", "3:2", "2:1", "3:1")
_MEASURES: Final = (
    ("width", "width"),
    ("height", "height"),
    ("shorter side", "MIN(width, height)"),
)
_SHARES: Final = (0.0, 0.05, 0.5, 0.95, 1.0)


class Tick(NamedTuple):
    """A number beside a chart."""

    at: float
    """Percent of the axis."""
    text: str


class Cell(NamedTuple):
    """Images of about one size; lengths in percent of the chart's sides."""

    x: float
    y: float
    shade: float
    """From 0 to 1."""
    images: int


class SizeMap(NamedTuple):
    """Widths to the right and heights upwards, on logarithmic axes of one scale."""

    cells: list[Cell]
    side: float
    ticks: list[Tick]
    median: float
    """Where the median of the shorter sides lies on either axis, in percent."""


class Shapes(NamedTuple):
    """All of it."""

    distinct: int
    """How many different sizes there are."""
    common: list[tuple[str, int]]
    """The most frequent sizes."""
    map: SizeMap | None
    """None: there are so few sizes that `common` holds them all."""
    table: list[tuple[str, list[int]]]
    """Least, 5 %, median, 95 % and greatest of what is measured in pixels."""
    ratios: list[Bar]
    ratio_ticks: list[Tick]
    formats: list[tuple[str, int]]


def shapes(sql: sqlite3.Connection, manifest: Manifest) -> Shapes:
    """Count and measure them."""
    distinct = int(sql.execute("SELECT COUNT(DISTINCT width || 'x' || height) FROM image").fetchone()[0])
    common = sql.execute(
        "SELECT width || ' \u00d7 ' || height, COUNT(*) FROM image GROUP BY width, height"
        f" ORDER BY 2 DESC, width, height LIMIT {_COMMON}"
    ).fetchall()
    widest = math.log(_WIDEST)
    return Shapes(
        distinct,
        common,
        _map(sql, manifest.median_shorter_side) if distinct > _COMMON else None,
        [(name, quantiles(sql, column, _SHARES)) for name, column in _MEASURES],
        histogram(sql, _RATIO, -widest, widest, _RATIO_BINS),
        [Tick(50 + 50 * _log_ratio(text) / widest, text) for text in _RATIO_TICKS],
        sql.execute(
            f"SELECT format, COUNT(*) FROM image GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {_FORMATS}"
        ).fetchall(),
    )


def _map(sql: sqlite3.Connection, median: int) -> SizeMap:
    ends = "SELECT MIN(MIN(width, height)), MAX(MAX(width, height)) FROM image"
    least, greatest = sql.execute(ends).fetchone()
    low, high = math.log(least) - 0.1, math.log(greatest) + 0.1
    step = (high - low) / _CELLS
    place = f"CAST((log_of({{}}) - {low!r}) / {step!r} AS INTEGER)"
    query = f"SELECT {place.format('width')}, {place.format('height')}, COUNT(*) FROM image GROUP BY 1, 2"
    counted = sorted(sql.execute(query).fetchall())
    most = max(count for *_, count in counted)
    side = 100 / _CELLS
    return SizeMap(
        [Cell(x * side, 100 - (y + 1) * side, _shade(count, most), count) for x, y, count in counted],
        side,
        [Tick(100 * (math.log(size) - low) / (high - low), str(size)) for size in _sizes(least, greatest)],
        100 * (math.log(median) - low) / (high - low),
    )


def _shade(count: int, most: int) -> float:
    # Of the logarithm: one image must be seen beside a thousand.
    return 0.3 + 0.7 * math.log(count) / math.log(most) if most > 1 else 1.0


def _sizes(least: int, greatest: int) -> list[int]:
    """Round numbers for an axis: powers of two, or fewer."""
    powers = [2**power for power in range(17) if least <= 2**power <= greatest]
    return powers[:: math.ceil(len(powers) / _TICKS)] if len(powers) > 1 else [least, greatest]


def _log_ratio(text: str) -> float:
    width, height = map(int, text.split(":"))
    return math.log(width / height)
