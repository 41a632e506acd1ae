"""One shard built or found whole: read, resize, encode, frame, verify, publish.

A shard is an independent, idempotent task. In: its plan; encoded images of the raw folder. Out: a TFRecord
file of `tf.train.Example` whose images are RGB JPEGs, and its line of the index.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from contracts import records, storage
from contracts.dataset import Example, ResizeMode, Shard
from contracts.errors import StageError
from datapipeline.records.archives import UnreadableError
from datapipeline.records.plan import ShardPlan
from datapipeline.records.raw import RawImage, Reader
from datapipeline.records.tfrecord import Feature, RecordError, frame, from_example, read_records, to_example
from imaging import ImageError, decode, encode_jpeg, resize


@dataclass(frozen=True)
class Workshop:
    """What every task needs to know."""

    reader: Reader
    output: str
    classes: int
    image_size: int
    resize: ResizeMode
    quality: int


@dataclass(frozen=True)
class ShardTask:
    """A shard to build, and where its images lie."""

    plan: ShardPlan
    images: tuple[RawImage, ...]


def build_shard(workshop: Workshop, task: ShardTask) -> Shard:
    """Build a shard, unless it is there already and whole.

    Raises:
        StageError: an image isn't what it was when the manifest was made.
    """
    uri = storage.join(workshop.output, task.plan.name)
    try:
        with storage.local_copy(uri) as path:
            return inspect_shard(path, task.plan, workshop.classes)
    except (storage.NotFoundError, RecordError):
        pass  # not there, or not whole: it is built
    with storage.writing(uri) as path:
        with path.open("wb") as file:
            for example, image in zip(task.plan.examples, task.images, strict=True):
                file.write(frame(_to_record(workshop, example, image)))
        return _verified(path, workshop, task.plan)


def inspect_shard(path: Path, plan: ShardPlan, classes: int) -> Shard:
    """Read a shard's every record and describe it.

    Raises:
        RecordError: it is damaged, or holds something else than planned.
    """
    with path.open("rb") as file:
        found = [_key(from_example(record)) for record in read_records(file)]
    if found != [(example.path.encode(), example.label) for example in plan.examples]:
        raise RecordError(f"{plan.name} doesn't hold the examples planned for it")
    histogram = Counter(example.label for example in plan.examples)
    return Shard(
        name=plan.name,
        examples=len(found),
        bytes=path.stat().st_size,
        crc32c=storage.checksum(path),
        class_histogram=tuple(histogram[label] for label in range(classes)),
    )


def _to_record(workshop: Workshop, example: Example, image: RawImage) -> bytes:
    resized = resize(_decoded(workshop.reader, example, image), workshop.image_size, workshop.resize)
    width, height = resized.size
    return to_example(
        {
            records.ENCODED: encode_jpeg(resized, workshop.quality),
            records.LABEL: example.label,
            records.TEXT: example.class_name.encode(),
            records.FORMAT: b"jpeg",
            records.FILENAME: example.path.encode(),
            records.HEIGHT: height,
            records.WIDTH: width,
        }
    )


def _decoded(reader: Reader, example: Example, image: RawImage) -> Image.Image:
    try:
        data = reader.read(image)
        if hashlib.sha256(data).hexdigest() != example.sha256:
            raise StageError(
                f"{example.path} was changed since its data set was processed: run process again"
            )
        return decode(data).image
    except (ImageError, UnreadableError, storage.NotFoundError) as error:
        raise StageError(
            f"{example.path} can't be read any more ({error}), though process could: run process again"
        ) from error


def _key(record: dict[str, Feature]) -> tuple[Feature | None, Feature | None]:
    return record.get(records.FILENAME), record.get(records.LABEL)


def _verified(path: Path, workshop: Workshop, plan: ShardPlan) -> Shard:
    try:
        return inspect_shard(path, plan, workshop.classes)
    except RecordError as error:
        raise StageError(f"{plan.name} came back from the disk otherwise than written: {error}") from error
