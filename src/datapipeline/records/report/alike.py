"""Images that look the same, side by side: in several classes (a label conflict), and in one."""

import sqlite3
from collections.abc import Iterator
from typing import Final, NamedTuple

from datapipeline.records.report.picture import COLUMNS, Picture, pictures

_GROUPS: Final = 12
_MEMBERS: Final = 5
_CLASSES: Final = 6


class Group(NamedTuple):
    """Images that look the same."""

    size: int
    identical: bool
    """Whether they are the same file, byte for byte."""
    classes: list[tuple[str, int]]
    """The names of some of its classes, and how many of its images each has."""
    more_classes: int
    images: list[Picture]
    """Some of them, of as many classes as can be."""


class Size(NamedTuple):
    """How much looks the same."""

    groups: int
    images: int
    """In those groups, every one of them counted."""


class Groups(NamedTuple):
    """Groups of one kind; some are shown, of as many classes as can be."""

    size: Size
    """Of all of them."""
    shown: list[Group]

    def pictures(self) -> Iterator[Picture]:
        """All that is shown of them."""
        for group in self.shown:
            yield from group.images


def together(conflicts: Groups, duplicates: Groups) -> Size:
    """What looks the same, whichever classes it is of: the rows of `duplicates.csv`."""
    one, other = conflicts.size, duplicates.size
    return Size(one.groups + other.groups, one.images + other.images)


def conflicts(sql: sqlite3.Connection) -> Groups:
    """Find groups that have images of several classes."""
    return _groups(sql, "COUNT(DISTINCT class_name) > 1")


def duplicates(sql: sqlite3.Connection) -> Groups:
    """Find groups within one class."""
    return _groups(sql, "COUNT(*) > 1 AND COUNT(DISTINCT class_name) = 1")


def _groups(sql: sqlite3.Connection, condition: str) -> Groups:
    clusters = (
        "SELECT cluster, COUNT(*) AS count, COUNT(DISTINCT class_name) AS classes,"
        " COUNT(DISTINCT sha256) AS contents, MIN(path) AS first,"
        " MIN(class_name) AS one, MAX(class_name) AS other"
        f" FROM image GROUP BY cluster HAVING {condition}"
    )
    size = Size._make(sql.execute(f"SELECT COUNT(*), COALESCE(SUM(count), 0) FROM ({clusters})").fetchone())
    # The largest of each class, or pair of classes, before the second largest of any.
    turn = "ROW_NUMBER() OVER (PARTITION BY one, other ORDER BY count DESC, first) AS turn"
    order = (
        f"SELECT cluster, count, classes, contents FROM (SELECT *, {turn} FROM ({clusters}))"
        f" ORDER BY turn, count DESC, first LIMIT {_GROUPS}"
    )
    return Groups(size, [_group(sql, *row) for row in sql.execute(order).fetchall()])


def _group(sql: sqlite3.Connection, cluster: int, count: int, classes: int, contents: int) -> Group:
    names = sql.execute(
        "SELECT class_name, COUNT(*) FROM image WHERE cluster = ? GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?",
        (cluster, _CLASSES),
    ).fetchall()
    turns = "ROW_NUMBER() OVER (PARTITION BY class_name ORDER BY path) AS turn"
    members = (
        f"SELECT {COLUMNS} FROM (SELECT *, {turns} FROM image WHERE cluster = ?)"
        f" ORDER BY turn, class_name, path LIMIT {_MEMBERS}"
    )
    shown = pictures(sql, members, (cluster,))
    return Group(count, contents == 1, names, classes - len(names), shown)
