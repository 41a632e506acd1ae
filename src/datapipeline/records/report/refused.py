"""Files that aren't used, and why."""

import re
import sqlite3
from typing import Final, NamedTuple

from contracts.dataset import Split

_KINDS: Final = 50
_ROWS: Final = 200

LOOKS_THE_SAME: Final = "looks the same as another image"
"""Why near duplicates are dropped: no fault of theirs."""

LEAKS: Final[dict[str, Split]] = {f"also lies in the author's {side}": side for side in ("val", "test")}
"""Why images of an author's split are left out."""

_LEAK: Final = re.compile("looks the same as .*, which is in the given (val|test)", re.DOTALL)


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
    if leak := _LEAK.fullmatch(reason):
        return f"also lies in the author's {leak[1]}"
    if reason.startswith("looks the same as "):
        return LOOKS_THE_SAME
    return re.sub(r"(?<![\w-])\d+", "N", reason.partition(": ")[0])
