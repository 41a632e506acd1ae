"""Every raw image decoded once, in full: what it is, or why it can't be used."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal, NamedTuple, TypeVar

from contracts.console import progress
from datapipeline.records import pool
from datapipeline.records.appearance import Appearance, look
from datapipeline.records.archives import UnreadableError
from datapipeline.records.raw import RawFolder, RawImage, Reader
from imaging import Decoded, ImageError, decode

T = TypeVar("T")

CHUNK: Final = 64
"""Images a task: neighbours in their archive, so that each process reads forward."""

Animated = Literal["first", "reject"]


@dataclass(frozen=True)
class Criteria:
    """What makes an image usable."""

    min_side: int = 8
    """Pixels of the shorter side."""
    animated: Animated = "first"
    """Of an animation, take the first frame or nothing."""


class Examined(NamedTuple):
    """A usable image."""

    sha256: str
    """Of the file's bytes, hexadecimal."""
    width: int
    """Pixels, upright."""
    height: int
    format: str
    appearance: Appearance


@dataclass(frozen=True)
class _Shared:
    reader: Reader
    criteria: Criteria


def examine(raw: RawFolder, criteria: Criteria, workers: int | None) -> None:
    """Decode every image of the raw folder's table; describe the good there, and reject the others."""
    total = raw.table.count()
    tasks, chunks = _chunks(raw.images(), CHUNK), -(-total // CHUNK)
    results = pool.run(_examine_chunk, _Shared(raw.reader, criteria), tasks, chunks, workers)
    found = (result for results_of_chunk in results for result in results_of_chunk)
    for path, result in progress(found, total=total, what="decoding", unit="img"):
        if isinstance(result, str):
            raw.table.reject(path, result)
            raw.table.sql.execute("DELETE FROM image WHERE path = ?", (path,))
        else:
            raw.table.sql.execute(
                "UPDATE image SET sha256 = ?, width = ?, height = ?, format = ?,"
                " hash = ?, thumbnail = ?, brightness = ?, sharpness = ? WHERE path = ?",
                (*result[:-1], *result.appearance, path),
            )


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    items = iter(items)
    while chunk := list(islice(items, size)):
        yield chunk


def _examine_chunk(shared: _Shared, images: list[RawImage]) -> list[tuple[str, Examined | str]]:
    """One task of a pool: for each path what the image is, or why it is rejected."""
    everything = zip(images, shared.reader.read_all(images), strict=True)
    return [(image.path, _examine(data, shared.criteria)) for image, data in everything]


def _examine(data: bytes | UnreadableError, criteria: Criteria) -> Examined | str:
    if isinstance(data, UnreadableError):
        return str(data)
    try:
        decoded = decode(data)
    except ImageError as error:
        return str(error)
    width, height = decoded.image.size
    return _reason_against(decoded, criteria) or Examined(
        hashlib.sha256(data).hexdigest(), width, height, decoded.format, look(decoded.image)
    )


def _reason_against(decoded: Decoded, criteria: Criteria) -> str | None:
    width, height = decoded.image.size
    if min(width, height) < criteria.min_side:
        return f"too small: {width}x{height}"
    return "animated" if decoded.animated and criteria.animated == "reject" else None
