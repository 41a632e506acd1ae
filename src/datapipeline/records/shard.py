"""One shard built or found whole: read, resize, encode, frame, publish, verify.

A shard is an independent, idempotent task. In: its plan file; encoded images of the raw folder. Out: a
TFRecord file of `tf.train.Example` whose images are JPEGs, RGB or grey, and its line of the index.
"""

import base64
import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import tee, zip_longest
from pathlib import Path

import google_crc32c
from PIL import Image

from contracts import records, storage
from contracts.dataset import ResizeMode, Shard
from contracts.errors import StageError
from datapipeline.records.archives import UnreadableError
from datapipeline.records.augmentation import augmented
from datapipeline.records.plan import Planned, ShardPlan, read_plan
from datapipeline.records.raw import Reader
from datapipeline.records.tfrecord import RecordError, frame, from_example, read_records, to_example
from imaging import ImageError, decode, encode_jpeg, is_plain_jpeg, is_resized, resize


@dataclass(frozen=True)
class Workshop:
    """What every task needs to know."""

    reader: Reader
    output: str
    class_names: tuple[str, ...]
    image_size: int
    resize: ResizeMode
    quality: int


def build_shard(workshop: Workshop, plan: ShardPlan) -> Shard:
    """Build a shard, unless it is there already and whole.

    Raises:
        StageError: an image isn't what it was when the manifest was made.
    """
    uri = storage.join(workshop.output, plan.name)
    try:
        with storage.local_copy(uri) as path:
            return inspect_shard(path, plan, workshop)
    except (storage.NotFoundError, RecordError):
        pass  # not there, or not whole: it is built
    with storage.writing(uri, durable=False) as path, closing(workshop.reader):  # the index vouches for it
        shard = _write(path, workshop, plan)
        if storage.checksum(path) != shard.crc32c:
            raise StageError(f"{plan.name} came back from the disk otherwise than written: is it failing?")
    return shard


def inspect_shard(path: Path, plan: ShardPlan, workshop: Workshop) -> Shard:
    """Read a shard's every record and describe it.

    Raises:
        RecordError: it is damaged, or holds something else than planned.
    """
    histogram = [0] * len(workshop.class_names)
    with path.open("rb") as file:
        for record, planned in zip_longest(read_records(file), read_plan(plan.uri)):
            if record is None or planned is None or not _is_of(record, planned):
                raise RecordError(f"{plan.name} doesn't hold the images planned for it")
            histogram[planned.label] += 1
    return Shard(
        name=plan.name,
        examples=sum(histogram),
        bytes=path.stat().st_size,
        crc32c=storage.checksum(path),
        class_histogram=tuple(histogram),
    )


def _write(path: Path, workshop: Workshop, plan: ShardPlan) -> Shard:
    histogram, size, crc = [0] * len(workshop.class_names), 0, google_crc32c.Checksum()
    with path.open("wb") as file:
        for planned, data in _with_bytes(workshop.reader, read_plan(plan.uri)):
            record = frame(_to_record(workshop, planned, data))
            file.write(record)
            crc.update(record)
            size += len(record)
            histogram[planned.label] += 1
    return Shard(
        name=plan.name,
        examples=sum(histogram),
        bytes=size,
        crc32c=base64.b64encode(crc.digest()).decode(),
        class_histogram=tuple(histogram),
    )


def _with_bytes(reader: Reader, images: Iterator[Planned]) -> Iterator[tuple[Planned, bytes]]:
    images, again = tee(images)  # the reader may run a few ahead
    for planned, data in zip(images, reader.read_all(planned.image for planned in again), strict=False):
        if isinstance(data, UnreadableError):
            raise _gone(planned, data) from data
        if hashlib.sha256(data).hexdigest() != planned.sha256:
            raise StageError(
                f"{planned.image.path} was changed since its data set was processed: run process again"
            )
        yield planned, data


def _to_record(workshop: Workshop, planned: Planned, data: bytes) -> bytes:
    if _fits(workshop, planned, data):
        encoded, width, height = data, planned.width, planned.height
    else:
        resized = resize(_decoded(planned, data), workshop.image_size, workshop.resize)
        encoded, (width, height) = encode_jpeg(resized, workshop.quality), resized.size
    return to_example(
        {
            records.ENCODED: encoded,
            records.LABEL: planned.label,
            records.TEXT: planned.image.class_name.encode(),
            records.FORMAT: b"jpeg",
            records.FILENAME: planned.filename.encode(),
            records.HEIGHT: height,
            records.WIDTH: width,
        }
    )


def _fits(workshop: Workshop, planned: Planned, data: bytes) -> bool:
    """Whether an image can go into its record as it is: encoding it again would cost time and quality."""
    return (
        planned.format == "JPEG"
        and not planned.variant
        and is_resized(planned.width, planned.height, workshop.image_size, workshop.resize)
        and is_plain_jpeg(data)
    )


def _decoded(planned: Planned, data: bytes) -> Image.Image:
    try:
        image = decode(data).image
    except ImageError as error:
        raise _gone(planned, error) from error
    return augmented(image, planned.filename) if planned.variant else image


def _gone(planned: Planned, error: Exception) -> StageError:
    return StageError(
        f"{planned.image.path} can't be read any more ({error}), though process could: run process again"
    )


def _is_of(record: bytes, planned: Planned) -> bool:
    features = from_example(record)
    return (features.get(records.FILENAME), features.get(records.LABEL)) == (
        planned.filename.encode(),
        planned.label,
    )
