"""A large object's way down: parts at once, each by a bare request, their checksums joined into the whole's.

Nothing is read a second time for its checksum, and the disk writes while the network reads.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import google_crc32c

from contracts.storage import gcs_wire

PART = 32 << 20
"""Bytes of a part: large enough that a request's own time doesn't count."""

THREADS = 4
"""Parts under way at once: gcloud's own number. More of them wait for each other's turn in Python."""

_ZEROS = bytes(1 << 20)


def fetch(bucket: str, name: str, size: int, path: Path, ask: Callable[[int, int], bytes]) -> int:
    """Fill `path` with an object of `size` bytes; its crc32c, to be compared by the caller.

    `ask(first, last)` gets a range whose bare request didn't succeed: it is as patient as need be.
    """
    starts = range(0, size, PART)
    with path.open("wb") as file, ThreadPoolExecutor(THREADS) as threads:
        file.truncate(size)

        def part(start: int) -> int:
            last = min(start + PART, size) - 1
            crc = gcs_wire.get_range(bucket, name, start, last, file.fileno())
            if crc is None:
                data = ask(start, last)
                os.pwrite(file.fileno(), data, start)
                crc = google_crc32c.value(data)
            # While the others still arrive: the disk needn't be waited for at the end.
            os.fsync(file.fileno())
            return int(crc)

        whole = 0
        for start, crc in zip(starts, threads.map(part, starts), strict=True):
            whole = joined(whole, crc, min(PART, size - start))
    return whole


def joined(before: int, after: int, size: int) -> int:
    """The crc32c of two things together: `after` is that of the second, which has `size` bytes."""
    # A crc is linear: how `size` bytes move `before` on shows with zeros as well as with the bytes.
    return _over_zeros(before, size) ^ _zeros(size) ^ after


@cache
def _zeros(size: int) -> int:
    return _over_zeros(0, size)


def _over_zeros(crc: int, size: int) -> int:
    for start in range(0, size, len(_ZEROS)):
        crc = google_crc32c.extend(crc, _ZEROS[: size - start])
    return int(crc)
