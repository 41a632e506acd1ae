"""Which side of the split an image is on: a function of its content's hash and the seed.

Copies and near duplicates (a cluster) are on one side: that of their smallest hash. So an image keeps its
side when others are added or removed, unless one of them looks the same. That wins over exact proportions:
each cluster falls by itself, as a die does. Only where a class would have nothing on a side does it lend that
side its nearest cluster, one that no other class shares.
"""

import hashlib
from itertools import accumulate
from typing import Final

from contracts.dataset import SPLITS, Split
from contracts.errors import InputError
from datapipeline.records.naming import given_side
from datapipeline.records.worktable import WorkTable

FEWEST: Final = len(SPLITS)
"""Different images that a class needs: one for each side."""

Fractions = tuple[float, float, float]


def position(content: str, seed: int) -> float:
    """Where a content (sha256, hexadecimal) falls in [0, 1)."""
    number = int.from_bytes(hashlib.sha256(f"{seed}:{content}".encode()).digest()[:6])
    return number / 2**48  # 48 bits: exact in a float, and so below 1


def intervals(fractions: Fractions, drawn: tuple[Split, ...] = SPLITS) -> dict[Split, tuple[float, float]]:
    """The part of [0, 1) that belongs to each side that is drawn, in proportion to its fraction."""
    weights = [fraction for split, fraction in zip(SPLITS, fractions, strict=True) if split in drawn]
    ends = [*(end / sum(weights) for end in list(accumulate(weights))[:-1]), 1.0]
    return {split: (start, end) for split, start, end in zip(drawn, [0.0, *ends], ends, strict=False)}


def gather(table: WorkTable, seed: int, *, keep: bool) -> None:
    """Make the table `cluster`: of each its place in [0, 1), its class if that is one, its given side.

    Raises:
        InputError: sides are to be kept, but there are none.
    """
    table.sql.create_function("position", 1, lambda content: position(content, seed), deterministic=True)
    table.sql.create_function(
        "given", 2, lambda path, stated: _rank(path, stated) if keep else None, deterministic=True
    )
    if keep:
        table.reject_where("given(path, stated) IS NULL", "'in no folder called train, val or test'")
        if not table.count():
            raise InputError(
                "--keep-split: there is no folder called train, val or test: give --no-keep-split"
            )
    table.sql.executescript(
        """
        DROP TABLE IF EXISTS temp.cluster;
        CREATE TEMP TABLE cluster AS
            SELECT cluster AS id, MIN(sha256) AS content, position(MIN(sha256)) AS place,
                MAX(given(path, stated)) AS given,
                CASE WHEN COUNT(DISTINCT class_name) = 1 THEN MIN(class_name) END AS class_name, '' AS side
            FROM image GROUP BY cluster;
        CREATE UNIQUE INDEX temp.by_id ON cluster (id);
        CREATE INDEX temp.by_class ON cluster (class_name, side);
        """
    )


def assign(table: WorkTable, fractions: Fractions, *, keep: bool) -> None:
    """Fill the column `split` of images whose clusters were gathered.

    Args:
        table: with its clusters.
        fractions: of train, val and test; each above 0, together 1.
        keep: take the sides that folders called train, val and test give, or a managed data set's lists; a
            side that none gives is drawn from train. Of a cluster on several sides, only what is on the last
            of them (test before val before train) is kept: the rest would leak.

    Raises:
        InputError: the author's folders leave a class without a side.
    """
    _set_sides(table, intervals(fractions, _drawn(table) if keep else SPLITS))
    table.sql.execute("UPDATE image SET split = (SELECT side FROM temp.cluster WHERE id = image.cluster)")
    if keep:
        _reject_leaks(table)


def own(table: WorkTable) -> dict[str, int]:
    """For each class, how many clusters are its own: images that are neither copies nor another class's."""
    query = "SELECT class_name, COUNT(*) FROM temp.cluster WHERE class_name IS NOT NULL GROUP BY class_name"
    return dict(table.sql.execute(query).fetchall())


def _rank(path: str, stated: Split | None) -> int | None:
    side = stated or given_side(path)
    return None if side is None else SPLITS.index(side)


def _drawn(table: WorkTable) -> tuple[Split, ...]:
    given = {SPLITS[rank] for (rank,) in table.sql.execute("SELECT DISTINCT given FROM temp.cluster")}
    if "train" not in given:
        raise InputError("--keep-split: there is no image in a folder called train: give --no-keep-split")
    return tuple(split for split in SPLITS if split == "train" or split not in given)


def _set_sides(table: WorkTable, drawn: dict[Split, tuple[float, float]]) -> None:
    # Where an author gives sides, those are fixed; only what is in train may be drawn to another.
    fixed = "CASE given WHEN 1 THEN 'val' WHEN 2 THEN 'test' END"
    table.sql.execute(f"UPDATE temp.cluster SET side = COALESCE({fixed}, 'train')")
    for split, (start, end) in drawn.items():
        table.sql.execute(
            "UPDATE temp.cluster SET side = ? WHERE COALESCE(given, 0) = 0 AND place >= ? AND place < ?",
            (split, start, end),
        )
    for class_name, counts in _counts(table).items():
        for split in SPLITS:
            if not counts[split]:
                _lend(table, class_name, counts, split, drawn)


def _counts(table: WorkTable) -> dict[str, dict[str, int]]:
    """For each class, how many clusters it has on each side."""
    found: dict[str, dict[str, int]] = {}
    query = (
        "SELECT image.class_name, side, COUNT(DISTINCT cluster) FROM image"
        " JOIN temp.cluster AS c ON c.id = image.cluster GROUP BY 1, 2"
    )
    for class_name, side, count in table.sql.execute(query):
        found.setdefault(class_name, dict.fromkeys(SPLITS, 0))[side] = count
    return found


def _lend(
    table: WorkTable,
    class_name: str,
    counts: dict[str, int],
    split: Split,
    drawn: dict[Split, tuple[float, float]],
) -> None:
    """Give a side that is empty in a class the nearest cluster of a side that can spare one."""
    start, end = drawn.get(split, (0.0, 0.0))
    spare = [side for side in drawn if counts[side] > 1] if split in drawn else []
    row = table.sql.execute(
        "SELECT id, side FROM temp.cluster WHERE class_name = ? AND COALESCE(given, 0) = 0"
        f" AND side IN ({', '.join('?' * len(spare))}) ORDER BY MAX(? - place, place - ?), content LIMIT 1",
        (class_name, *spare, start, end),
    ).fetchone()
    if row is None:
        raise InputError(
            f"--keep-split: the class {class_name!r} has no image in {split} (is it called the same in every "
            "folder?): add some, or give --no-keep-split"
        )
    table.sql.execute("UPDATE temp.cluster SET side = ? WHERE id = ?", (split, row[0]))
    counts[row[1]] -= 1
    counts[split] += 1


def _reject_leaks(table: WorkTable) -> None:
    """What has a look-alike on a later given side; `split` is that side already."""
    last = "(SELECT given FROM temp.cluster WHERE id = image.cluster)"
    table.sql.execute(
        "CREATE TEMP TABLE leak AS SELECT id, (SELECT MIN(path) FROM image AS other"
        f" WHERE other.cluster = image.cluster AND given(other.path, other.stated) = {last}) AS path"
        f" FROM image WHERE given(path, stated) < {last}"
    )
    path = "(SELECT leak.path FROM temp.leak WHERE leak.id = image.id)"
    table.reject_where(
        "id IN (SELECT id FROM temp.leak)",
        f"'looks the same as ' || {path} || ', which is in the given ' || split",
    )
