"""The folder of shards while it isn't finished: what is being built there, and which shards can be kept.

`building.json` says what for the shards of a folder without an index were made, so that a run that was killed
can be carried on and one with other settings starts anew. It goes when `index.json` has come.
"""

import re
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import ClassVar, Final

from contracts import storage
from contracts.dataset import ResizeMode, Shard, ShardIndex, Split
from contracts.documents import Document, Part
from datapipeline.records.places import check_ours, document_mark, foreign

_SHARD: Final = re.compile(r"(train|val|test)-\d{5}-of-\d{5}\.tfrecord")


class Settings(Part):
    """All that the shards' bytes follow from: as `ShardIndex` has it."""

    dataset: str
    manifest_digest: str
    class_names: tuple[str, ...]
    image_size: int
    resize: ResizeMode
    quality: int
    augment_minority: int
    seed: int


class Building(Document):
    """`building.json`."""

    file_name: ClassVar[str] = "building.json"
    made_by: ClassVar[str] = ShardIndex.made_by

    settings: Settings
    names: tuple[str, ...]
    """The shards, in the plan's order."""


_MARKS: Final = {
    ShardIndex.file_name: document_mark("dataset"),
    Building.file_name: document_mark("settings"),
}


def finished(folder: str, wanted: Building) -> ShardIndex | None:
    """The folder's index, if it is one of these very shards; whether they are whole is another question."""
    index = ShardIndex.read_if_there(folder)
    if index is None or Settings.model_validate(index.model_dump(include=set(Settings.model_fields))) != (
        wanted.settings
    ):
        return None
    return index if tuple(shard.name for shard in all_shards(index)) == wanted.names else None


def all_shards(index: ShardIndex) -> list[Shard]:
    """The shards of all splits, in the plan's order."""
    return [shard for shards in index.shards.values() for shard in shards]


def damaged(folder: str, shards: Collection[Shard]) -> list[Shard]:
    """Those of an index's shards that aren't there as it describes them."""
    there = {file.name: file for file in storage.list_files(folder)}
    return [shard for shard in shards if not _is_whole(folder, shard, there.get(shard.name))]


def refuse_foreign(folder: str) -> None:
    """Refuse a folder in which something has the names of ours but isn't.

    Raises:
        InputError: it is so.
    """
    check_ours(folder, _MARKS)
    shards = _shards_in(folder)
    if shards and not any(storage.exists(storage.join(folder, name)) for name in _MARKS):
        raise foreign(folder, shards[0])


def start(folder: str, wanted: Building) -> None:
    """Make the folder ready to build in: shards of an equal run that was cut off stay, others go."""
    if Building.read_if_there(folder) == wanted and ShardIndex.read_if_there(folder) is None:
        return
    # In this order, wherever it is cut off, nothing is trusted that shouldn't be, and all is known as ours.
    wanted.model_copy(update={"names": ()}).write(folder)
    for name in (ShardIndex.file_name, *_shards_in(folder)):
        storage.delete(storage.join(folder, name))
    wanted.write(folder)


def reopen(folder: str, wanted: Building) -> None:
    """Take back a finished folder's promise: shards of it are built again, and the others stay."""
    wanted.write(folder)
    storage.delete(storage.join(folder, ShardIndex.file_name))


def finish(folder: str, settings: Settings, shards: dict[Split, tuple[Shard, ...]]) -> ShardIndex:
    """Write the index; the folder is finished."""
    storage.sync(folder)
    index = ShardIndex(**settings.model_dump(), shards=shards)
    index.write(folder)
    storage.delete(storage.join(folder, Building.file_name))
    return index


def work_folder(folder: str) -> str:
    """Where the machines of one run find what they share, while the folder is being filled."""
    return storage.join(folder, "building")


def clear_work(folder: str) -> None:
    """Remove the work folder."""
    work = work_folder(folder)
    try:
        for file in storage.iter_files(work):
            storage.delete(storage.join(work, file.name))
    except storage.NotFoundError:
        return
    if not storage.is_remote(work):
        shutil.rmtree(work)


def _shards_in(folder: str) -> list[str]:
    try:
        return [file.name for file in storage.list_files(folder) if _SHARD.fullmatch(file.name)]
    except storage.NotFoundError:
        return []


def _is_whole(folder: str, shard: Shard, file: storage.FileInfo | None) -> bool:
    if file is None or file.bytes != shard.bytes or sum(shard.class_histogram) != shard.examples:
        return False
    return (file.crc32c or storage.checksum(Path(folder, shard.name))) == shard.crc32c
