"""An image that the page shows."""

import sqlite3
from typing import Any, Final, NamedTuple

from contracts.dataset import Split


class Picture(NamedTuple):
    """One image, and what is told of it."""

    path: str
    class_name: str
    split: Split
    width: int
    height: int
    brightness: float
    sharpness: float


COLUMNS: Final = ", ".join(Picture._fields)


def pictures(sql: sqlite3.Connection, query: str, parameters: tuple[Any, ...] = ()) -> list[Picture]:
    """The images that a query finds, which selects `COLUMNS`."""
    return [Picture._make(row) for row in sql.execute(query, parameters)]
