"""Numbers over all images, computed by SQLite: medians, spreads and histograms of an expression."""

import math
import sqlite3
from typing import Any, Final, NamedTuple

_NORMAL: Final = 1.4826
"""Standard deviations in one median absolute deviation of normally distributed numbers."""


def add_functions(sql: sqlite3.Connection) -> None:
    """Give SQL the natural logarithm: not every build of SQLite has one."""
    sql.create_function("log_of", 1, math.log, deterministic=True)


def quantile(sql: sqlite3.Connection, expression: str, share: float) -> Any:
    """The value that `share` of all images, from 0 to 1, don't exceed."""
    query = (
        f"SELECT {expression} FROM image ORDER BY 1"
        " LIMIT 1 OFFSET (SELECT CAST((COUNT(*) - 1) * ? AS INTEGER) FROM image)"
    )
    return sql.execute(query, (share,)).fetchone()[0]


class Spread(NamedTuple):
    """Where most of the numbers lie, whatever the others are."""

    median: float
    sigma: float
    """What would be the standard deviation, were there no outliers."""


def spread(sql: sqlite3.Connection, expression: str) -> Spread:
    """Measure the spread of an expression over all images."""
    median = float(quantile(sql, expression, 0.5))
    return Spread(median, _NORMAL * float(quantile(sql, f"ABS({expression} - {median!r})", 0.5)))


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
