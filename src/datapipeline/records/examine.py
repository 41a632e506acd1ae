"""Every raw image decoded once, in full: what it is, or why it can't be used."""

import hashlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from contracts.console import progress
from contracts.dataset import Rejected
from datapipeline.records import pool
from datapipeline.records.archives import UnreadableError
from datapipeline.records.raw import RawFolder, RawImage, Reader
from imaging import ImageError, decode

CHUNK: Final = 64
"""Images a task: neighbours in their archive, so that each process reads forward."""


class Examined(NamedTuple):
    """A usable image."""

    path: str
    class_name: str
    sha256: str
    """Of the file's bytes, hexadecimal."""
    width: int
    """Pixels, upright."""
    height: int
    format: str


def examine(raw: RawFolder, workers: int | None) -> tuple[list[Examined], list[Rejected]]:
    """Decode every image; the good and the rejected, each sorted by path."""
    chunks = [raw.images[start : start + CHUNK] for start in range(0, len(raw.images), CHUNK)]
    results = progress(
        _results(raw.reader, chunks, workers), total=len(raw.images), what="decoding", unit="img"
    )
    good: list[Examined] = []
    rejected = list(raw.rejected)
    for result in results:
        if isinstance(result, Examined):
            good.append(result)
        else:
            rejected.append(result)
    return sorted(good), sorted(rejected, key=lambda row: row.path)


def examine_chunk(reader: Reader, images: list[RawImage]) -> list[Examined | Rejected]:
    """Decode some images: one task of a pool."""
    return [_examine_one(reader, image) for image in images]


def _results(
    reader: Reader, chunks: list[list[RawImage]], workers: int | None
) -> Iterator[Examined | Rejected]:
    for results in pool.run(examine_chunk, reader, chunks, workers):
        yield from results


def _examine_one(reader: Reader, image: RawImage) -> Examined | Rejected:
    try:
        data = reader.read(image)
        decoded = decode(data)
    except (ImageError, UnreadableError) as error:
        return Rejected(path=image.path, reason=str(error))
    digest = hashlib.sha256(data).hexdigest()
    return Examined(image.path, image.class_name, digest, *decoded.image.size, decoded.format)
