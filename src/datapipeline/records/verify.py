"""A finished folder of shards checked: every byte, every record, every image."""

from contracts import storage
from contracts.console import log, progress
from contracts.dataset import Shard, ShardIndex
from contracts.errors import StageError
from contracts.records import ENCODED, HEIGHT, LABEL, TEXT, WIDTH
from datapipeline.records import building, pool
from datapipeline.records.tfrecord import RecordError, from_example, read_records
from imaging import ImageError, decode


def verify(folder: str, workers: int | None = None) -> ShardIndex:
    """Read all shards of a folder (a path or a gs:// URI); returns its index.

    Raises:
        InputError: the folder isn't finished.
        StageError: shards are missing or damaged; it names them.
    """
    index = ShardIndex.read(folder)
    shards = building.all_shards(index)
    found = pool.run(_trouble, (folder, index.class_names), shards, len(shards), workers)
    bad = dict(item for item in progress(found, total=len(shards), what="verifying", unit="shard") if item[1])
    for name, reason in sorted(bad.items()):
        log("bad shard", shard=name, reason=reason)
    if bad:
        raise StageError(
            f"{folder}: {len(bad)} of {len(shards)} shards are bad ({', '.join(sorted(bad)[:5])}"
            f"{', …' if len(bad) > 5 else ''}): the build_records command that made them builds those again"
        )
    images = sum(shard.examples for shard in shards)
    log("verified", shards=len(shards), images=images, bytes=sum(shard.bytes for shard in shards))
    return index


def _trouble(shared: tuple[str, tuple[str, ...]], shard: Shard) -> tuple[str, str | None]:
    """A shard's name, and what is wrong with it."""
    folder, class_names = shared
    try:
        with storage.local_copy(storage.join(folder, shard.name)) as path:
            if path.stat().st_size != shard.bytes:
                return shard.name, f"expected {shard.bytes} bytes, found {path.stat().st_size}"
            if storage.checksum(path) != shard.crc32c:
                return shard.name, "its crc32c isn't that of the index"
            histogram = [0] * len(class_names)
            with path.open("rb") as file:
                for record in read_records(file):
                    histogram[_label(record, class_names)] += 1
    except storage.NotFoundError:
        return shard.name, "it isn't there"
    except (RecordError, ImageError, storage.CorruptError) as error:
        return shard.name, str(error)
    same = (tuple(histogram), sum(histogram)) == (shard.class_histogram, shard.examples)
    return shard.name, None if same else "its classes aren't the index's"


def _label(record: bytes, class_names: tuple[str, ...]) -> int:
    features = from_example(record)
    label, encoded = features.get(LABEL), features.get(ENCODED)
    if not isinstance(label, int) or not 0 <= label < len(class_names) or not isinstance(encoded, bytes):
        raise RecordError("a record has no label of the index's, or no image")
    if features.get(TEXT) != class_names[label].encode():
        raise RecordError("a record's class isn't its label's")
    if decode(encoded).image.size != (features.get(WIDTH), features.get(HEIGHT)):
        raise RecordError("a record's image hasn't the size that it states")
    return label
