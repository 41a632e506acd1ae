"""Files that aren't used, and why."""

import re
import sqlite3
from typing import Final, NamedTuple

_KINDS: Final = 20
_ROWS: Final = 200

LOOKS_THE_SAME: Final = "looks the same as another image"
"""Why near duplicates are dropped: no fault of theirs."""


class Refused(NamedTuple):
    """The rejected files."""

    kinds: list[tuple[str, int]]
    """Reasons without their particulars, and how many files each has; from the most frequent."""
    rows: list[tuple[str, str]]
    """Path and reason of some files, of every kind some."""


def refused(sql: sqlite3.Connection) -> Refused:
    """Count the reasons, and take some files of each."""
    sql.create_function("kind_of", 1, kind, deterministic=True)
    kinds = sql.execute(
        f"SELECT kind_of(reason), COUNT(*) FROM rejected GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {_KINDS}"
    ).fetchall()
    turns = "ROW_NUMBER() OVER (PARTITION BY kind_of(reason) ORDER BY path, reason) AS turn"
    some = f"SELECT path, reason FROM (SELECT *, {turns} FROM rejected) ORDER BY turn, path LIMIT {_ROWS}"
    rows = sql.execute(f"SELECT * FROM ({some}) ORDER BY kind_of(reason), path, reason").fetchall()
    return Refused(kinds, rows)


def kind(reason: str) -> str:
    """A reason without what differs from file to file: `too small: 3x4` is `too small`."""
    if reason.startswith("looks the same as "):
        return LOOKS_THE_SAME
    return re.sub(r"(?<![\w-])\d+", "N", reason.partition(": ")[0])
