"""Numbers over all images, computed by SQLite: medians, spreads and histograms of an expression."""

import math
import sqlite3
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

_NORMAL: Final = 1.4826
"""Standard deviations in one median absolute deviation of normally distributed numbers."""


def add_functions(sql: sqlite3.Connection) -> None:
    """Give SQL the natural logarithm: not every build of SQLite has one."""
    sql.create_function("log_of", 1, math.log, deterministic=True)


def quantiles(sql: sqlite3.Connection, expression: str, shares: Sequence[float]) -> list[Any]:
    """The values that these shares of all images, from 0 to 1 and ascending, don't exceed."""
    count = sql.execute("SELECT COUNT(*) FROM image").fetchone()[0]
    places = [int((count - 1) * share) + 1 for share in shares]
    query = (
        f"SELECT place, value FROM (SELECT value, ROW_NUMBER() OVER (ORDER BY value) AS place"
        f" FROM (SELECT {expression} AS value FROM image))"
        f" WHERE place IN ({', '.join(map(str, places))})"
    )
    found = dict(sql.execute(query).fetchall())
    return [found[place] for place in places]


def median(sql: sqlite3.Connection, expression: str) -> float:
    """The lower median of an expression over all images."""
    return float(quantiles(sql, expression, [0.5])[0])


class Spread(NamedTuple):
    """Where most of the numbers lie, whatever the others are."""

    median: float
    sigma: float
    """What would be the standard deviation, were there no outliers."""


def spread(sql: sqlite3.Connection, expression: str) -> Spread:
    """Measure the spread of an expression over all images."""
    middle = median(sql, expression)
    return Spread(middle, _NORMAL * median(sql, f"ABS({expression} - {middle!r})"))


class Bar(NamedTuple):
    """One bar of a histogram; lengths are in percent of the chart's sides."""

    x: float
    width: float
    height: float
    images: int
    start: float
    end: float


def histogram(sql: sqlite3.Connection, expression: str, low: float, high: float, bins: int) -> list[Bar]:
    """Count an expression in equal bins from `low` to `high`; what lies outside is in the first and last."""
    step = (high - low) / bins
    query = (
        f"SELECT MAX(0, MIN({bins - 1}, CAST(({expression} - {low!r}) / {step!r} AS INTEGER))), COUNT(*)"
        " FROM image GROUP BY 1"
    )
    counted = dict(sql.execute(query).fetchall())
    most = max(counted.values())
    return [
        Bar(
            100 * place / bins,
            100 / bins,
            100 * count / most,
            count,
            low + place * step,
            low + (place + 1) * step,
        )
        for place, count in sorted(counted.items())
    ]
