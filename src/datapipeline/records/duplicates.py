"""Copies, and images as good as copies: found, and gathered in clusters that stay on one side of a split.

Two images are near duplicates when their perceptual hashes (imagehash's phash, 64 bits) differ in at most
`MAX_BITS` and their thumbnails say so too. That finds an image again after it was scaled, compressed, made
lighter or darker or a little cropped, or got a caption; the same thing in another colour is another thing.
Clusters are what these pairs connect.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from datapipeline.records.appearance import THUMBNAIL
from datapipeline.records.worktable import WorkTable

MAX_BITS: Final = 7
"""Of 64. Of two hashes that differ in no more, one of the 8 bytes is equal: so pairs are found by bytes."""

MIN_CORRELATION: Final = 0.97
"""Of two thumbnails' greys; measured on photos, objects and handwritten digits: unrelated ones stay below."""

MAX_TINT: Final = 20.0
"""Mean difference of R - G and B - G, together; another brightness alone makes 16 on photos."""

_FLAT: Final = 3.0
"""Standard deviation of greys below which a thumbnail shows nothing that could correlate."""

_ROWS: Final = 256
_REMEMBERED: Final = 2048

Numbers = NDArray[np.int64]


def cluster(table: WorkTable, *, near: bool) -> None:
    """Fill the column `cluster`: equal for copies and, with `near`, for near duplicates."""
    table.sql.executescript(
        """
        CREATE TEMP TABLE content AS SELECT sha256, MIN(id) AS id, hash FROM image GROUP BY sha256;
        CREATE UNIQUE INDEX temp.by_sha256 ON content (sha256);
        UPDATE image SET cluster = (SELECT id FROM temp.content WHERE sha256 = image.sha256);
        CREATE INDEX by_cluster ON image (cluster);
        """
    )
    if near:
        _join_near(table)
    table.sql.execute("DROP TABLE temp.content")


def drop(table: WorkTable) -> None:
    """Of each cluster keep one image a class: the largest, and of several the first by path."""
    best = "PARTITION BY cluster, class_name ORDER BY width * height DESC, path"
    table.sql.execute(
        "CREATE TEMP TABLE extra AS SELECT * FROM (SELECT id, ROW_NUMBER() OVER best AS rank,"
        f" FIRST_VALUE(path) OVER best AS kept FROM image WINDOW best AS ({best})) WHERE rank > 1"
    )
    table.sql.execute("CREATE UNIQUE INDEX temp.by_extra ON extra (id)")
    kept = "(SELECT kept FROM temp.extra WHERE id = image.id)"
    table.reject_where("id IN (SELECT id FROM temp.extra)", f"'looks the same as ' || {kept}")


def groups(table: WorkTable) -> Iterator[tuple[int, str, str, str, str]]:
    """Of each cluster of several images its number, from 1, and each one's path, class, split and sha256."""
    query = (
        "SELECT first, path, class_name, split, sha256 FROM (SELECT *, COUNT(*) OVER same AS count,"
        " MIN(path) OVER same AS first FROM image WINDOW same AS (PARTITION BY cluster))"
        " WHERE count > 1 ORDER BY first, path"
    )
    numbered = enumerate(groupby(table.sql.execute(query), itemgetter(0)), start=1)
    for number, (_, rows) in numbered:
        yield from ((number, *row[1:]) for row in rows)


def _join_near(table: WorkTable) -> None:
    """Give contents that look the same, and what these connect, one cluster."""
    count = table.count("temp.content")
    rows = table.sql.execute("SELECT id, hash FROM temp.content ORDER BY hash, id")
    found: Numbers = np.fromiter(rows, np.dtype((np.int64, 2)), count)
    ids, hashes = found[:, 0], np.ascontiguousarray(found[:, 1])
    labels = np.arange(count)

    @lru_cache(_REMEMBERED)
    def thumbnail(content: int) -> NDArray[np.float32]:
        query = "SELECT thumbnail FROM image WHERE id = ?"
        (pixels,) = table.sql.execute(query, (int(ids[content]),)).fetchone()
        return np.frombuffer(pixels, np.uint8).astype(np.float32).reshape(THUMBNAIL**2, 3)

    for one, other in candidates(hashes, labels):
        if labels[one] != labels[other] and _alike(thumbnail(one), thumbnail(other)):
            first, second = sorted((labels[one], labels[other]))
            labels[labels == second] = first
    joined = np.flatnonzero(labels != np.arange(count))
    changes = ((int(ids[labels[content]]), int(ids[content])) for content in joined)
    table.sql.executemany("UPDATE image SET cluster = ? WHERE cluster = ?", changes)


def candidates(hashes: Numbers, labels: Numbers) -> Iterator[tuple[int, int]]:
    """Pairs of positions whose hashes differ in at most `MAX_BITS` and whose labels differ.

    Args:
        hashes: int64 [n], sorted. Of equal ones, each is paired with the first of them only, and only that
            one with others: what they connect stays the same, and a thousand empty images don't make a
            million pairs.
        labels: int64 [n]: equal for what is joined already; may change in the meantime.
    """
    firsts = np.flatnonzero(np.diff(hashes, prepend=hashes[:1] - 1))
    lengths = np.diff(firsts, append=len(hashes))
    for run in np.flatnonzero(lengths > 1):
        first = int(firsts[run])
        yield from ((first, other) for other in range(first + 1, first + int(lengths[run])))
    distinct = hashes[firsts]
    for byte in range(8):
        keys = distinct.view(np.uint8)[byte::8]
        for bucket in _buckets(keys):
            for start in range(0, len(bucket), _ROWS):
                one, other = _close(distinct[bucket], labels[firsts[bucket]], start)
                for left, right in zip(bucket[one], bucket[other], strict=True):
                    if not _agree_before(distinct[left] ^ distinct[right], byte):
                        yield int(firsts[left]), int(firsts[right])


def _buckets(keys: NDArray[np.uint8]) -> Iterator[Numbers]:
    """The positions of each key that occurs more than once."""
    order = np.argsort(keys, kind="stable")
    ends = np.cumsum(np.bincount(keys, minlength=256))
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        if end - start > 1:
            yield order[start:end]


def _close(hashes: Numbers, labels: Numbers, start: int) -> tuple[Numbers, Numbers]:
    """Of `_ROWS` hashes from `start` on, the close ones behind each: positions of the pairs."""
    rows = slice(start, start + _ROWS)
    apart = np.triu(labels[rows, None] != labels[None, start:], 1)
    close = np.bitwise_count(hashes[rows, None] ^ hashes[None, start:]) <= MAX_BITS
    one, other = np.nonzero(apart & close)
    return one + start, other + start


def _agree_before(difference: np.int64, byte: int) -> bool:
    """Whether an earlier byte is equal too, so that the pair was found there."""
    return 0 in int(difference).to_bytes(8, "little", signed=True)[:byte]


def _alike(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    greys = one.mean(axis=1), other.mean(axis=1)
    if min(grey.std() for grey in greys) < _FLAT:
        return bool(np.abs(one - other).mean() < _FLAT)
    tints = [pixels[:, ::2] - pixels[:, 1:2] for pixels in (one, other)]
    tint = np.abs(tints[0] - tints[1]).sum(axis=1).mean()
    return bool(tint <= MAX_TINT and np.corrcoef(*greys)[0, 1] >= MIN_CORRELATION)
