"""Images that look wrong beside the others: the darkest, the brightest, the blurriest, the longest."""

import math
import sqlite3
from collections.abc import Iterator
from typing import Final, NamedTuple

from datapipeline.records.report.numbers import Bar, Spread, histogram, spread
from datapipeline.records.report.picture import COLUMNS, Picture, pictures

SIGMAS: Final = 4.0
"""How far from the median, in robust standard deviations, an image is an outlier."""

LONG: Final = 3.0
"""Sides' ratio from which a square crop leaves less than a third of an image."""

_SHOWN: Final = 16
_ROW: Final = 4
"""Images side by side. A row that outliers don't fill is filled with those next to them, to compare."""

_BINS: Final = 40
_FLAT: Final = 1.0
"""Variance of the Laplacian below which an image shows nothing: one colour, or a smooth shade."""

_BRIGHTNESS: Final = "brightness"
_SHARPNESS: Final = "log_of(sharpness + 1)"
_LENGTH: Final = "MAX(width, height) * 1.0 / MIN(width, height)"


class _Kind(NamedTuple):
    key: str
    name: str
    column: str
    order: str


_KINDS: Final = (
    _Kind("dark", "Darkest", "brightness", f"{_BRIGHTNESS} ASC"),
    _Kind("bright", "Brightest", "brightness", f"{_BRIGHTNESS} DESC"),
    _Kind("blurred", "Blurriest", "sharpness", "sharpness ASC"),
    _Kind("long", "Longest", "length", f"{_LENGTH} DESC"),
)


class Strip(NamedTuple):
    """The extreme images of one kind, the most extreme first."""

    key: str
    name: str
    column: str
    """The number that is shown with an image: `brightness`, `sharpness`, or `length` for its sides."""
    total: int
    """How many are beyond the limit, of all images."""
    images: list[Picture]
    beyond: int
    """How many of `images` are beyond the limit: the first ones."""


class Chart(NamedTuple):
    """How a number is spread over all images."""

    name: str
    bars: list[Bar]
    limits: list[float]
    """Beyond them lie outliers: in percent of the chart's width."""
    ends: tuple[str, str]


class Outliers(NamedTuple):
    """All of them."""

    strips: list[Strip]
    """Of the kinds that there are."""
    none: list[str]
    """Names of the kinds that nothing is of."""
    charts: list[Chart]
    total: int
    """Images that are beyond any limit."""
    flat: int
    """Images that show nothing."""

    def pictures(self) -> Iterator[Picture]:
        """All that is shown of them."""
        for strip in self.strips:
            yield from strip.images


def outliers(sql: sqlite3.Connection) -> Outliers:
    """Find images beyond what most are: limits follow the data, so that a dark data set is no alarm."""
    light, sharp = spread(sql, _BRIGHTNESS), spread(sql, _SHARPNESS)
    dark, bright = _below(light), 255 - _below(Spread(255 - light.median, light.sigma))
    blurred = sharp.median - SIGMAS * max(sharp.sigma, 0.25)  # where all are as sharp, noise is no outlier
    conditions = {
        "dark": f"{_BRIGHTNESS} < {dark!r}",
        "bright": f"{_BRIGHTNESS} > {bright!r}",
        "blurred": f"{_SHARPNESS} < {blurred!r}",
        "long": f"{_LENGTH} > {LONG!r}",
    }
    strips = [_strip(sql, kind, conditions[kind.key]) for kind in _KINDS]
    return Outliers(
        [strip for strip in strips if strip.total],
        [strip.name for strip in strips if not strip.total],
        [_brightness_chart(sql, dark, bright), _sharpness_chart(sql, blurred)],
        _count(sql, " OR ".join(conditions.values())),
        _count(sql, f"sharpness < {_FLAT}"),
    )


def _count(sql: sqlite3.Connection, condition: str) -> int:
    return int(sql.execute(f"SELECT COUNT(*) FROM image WHERE {condition}").fetchone()[0])


def _below(light: Spread) -> float:
    """The brightness below which an image is dark for this data set."""
    return max(light.median - SIGMAS * max(light.sigma, 5.0), light.median / 5)


def _strip(sql: sqlite3.Connection, kind: _Kind, condition: str) -> Strip:
    total = _count(sql, condition)
    limit = min(_SHOWN, math.ceil(total / _ROW) * _ROW)
    query = f"SELECT {COLUMNS} FROM image ORDER BY {kind.order}, path LIMIT {limit}"
    return Strip(kind.key, kind.name, kind.column, total, pictures(sql, query), min(total, limit))


def _brightness_chart(sql: sqlite3.Connection, dark: float, bright: float) -> Chart:
    bars = histogram(sql, _BRIGHTNESS, 0.0, 255.0, _BINS)
    return Chart("Brightness", bars, [100 * dark / 255, 100 * bright / 255], ("black", "white"))


def _sharpness_chart(sql: sqlite3.Connection, blurred: float) -> Chart:
    top = float(sql.execute(f"SELECT MAX({_SHARPNESS}) FROM image").fetchone()[0]) + 0.01
    bars = histogram(sql, _SHARPNESS, 0.0, top, _BINS)
    return Chart("Sharpness (logarithmic)", bars, [100 * max(0.0, blurred) / top], ("blurred", "sharp"))
