"""The files of a processed data set, where TensorFlow can read them.

Nothing is scanned: the index says what there is.
"""

import hashlib
import os
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from contracts import storage
from contracts.console import log
from contracts.dataset import SPLITS, Shard, ShardIndex, Split
from contracts.errors import InputError, StageError

Shards = Mapping[Split, Sequence[str]]
"""Local paths for each split, in the index's order."""


def digest_of(index: ShardIndex) -> str:
    """sha256 over the index: the same for the same shards."""
    return hashlib.sha256(index.to_json()).hexdigest()


def readable_shards(uri: str, index: ShardIndex, cache: str | None) -> Shards:
    """Give the shards of all splits as TensorFlow can read them.

    A bucket's are read from it on Google Cloud, by TensorFlow's own file system, unless a cache is asked for;
    elsewhere they are fetched into the cache first, and verified.

    Raises:
        InputError: a shard is missing, or isn't the one that the index describes.
    """
    if storage.is_remote(uri) and cache is None and _on_google_cloud():
        for split in SPLITS:
            for shard in index.shards[split]:
                _check_object(storage.join(uri, shard.name), shard)
        return {split: [storage.join(uri, shard.name) for shard in index.shards[split]] for split in SPLITS}
    return local_shards(uri, index, cache=cache)


def local_shards(
    uri: str, index: ShardIndex, splits: Collection[Split] = SPLITS, cache: str | None = None
) -> Shards:
    """Give the shards of some splits as local paths; those of a bucket are fetched first, and verified.

    Raises:
        InputError: a shard is missing, or isn't the one that the index describes.
    """
    wanted = [shard for split in splits for shard in index.shards[split]]
    folder = _fetched(uri, index, wanted, cache) if storage.is_remote(uri) else Path(uri)
    for shard in wanted:
        path = folder / shard.name
        size = path.stat().st_size if path.is_file() else None
        if size != shard.bytes:
            found = "it is missing" if size is None else f"it has {size}"
            raise InputError(
                f"{path} should have {shard.bytes} bytes, but {found}: run {ShardIndex.made_by} again"
            )
    return {split: [str(folder / shard.name) for shard in index.shards[split]] for split in splits}


def damaged(paths: Shards, index: ShardIndex) -> StageError | None:
    """Explain a read that failed: which shard's bytes aren't those that were written; None: all are."""
    for split, files in paths.items():
        for path, shard in zip(files, index.shards[split], strict=True):
            if _crc32c(path) != shard.crc32c:
                return StageError(
                    f"the shard {path} is damaged (its crc32c differs from the index's): delete it and run "
                    f"{ShardIndex.made_by} again"
                )
    return None


def _crc32c(path: str) -> str | None:
    return storage.stat(path).crc32c if storage.is_remote(path) else storage.checksum(Path(path))


def _fetched(uri: str, index: ShardIndex, wanted: Collection[Shard], cache: str | None) -> Path:
    folder = cache_folder(cache) / "shards" / digest_of(index)[:16]
    log("fetching shards", uri=uri, bytes=sum(shard.bytes for shard in wanted))
    storage.download_many(uri, [shard.name for shard in wanted], folder)
    for shard in wanted:
        if storage.checksum(folder / shard.name) != shard.crc32c:
            (folder / shard.name).unlink()
            raise InputError(
                f"{storage.join(uri, shard.name)} isn't the shard that the index describes (its crc32c "
                f"differs): run {ShardIndex.made_by} again"
            )
    return folder


def cache_folder(wanted: str | None) -> Path:
    """The folder for what is read more than once: `--cache`, else ~/.cache/chrysalis.

    Raises:
        InputError: it is in a bucket.
    """
    if wanted:
        if storage.is_remote(wanted):
            raise InputError(f"--cache {wanted} is a bucket: expected a folder of this machine's own disk")
        return Path(wanted)
    folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "chrysalis"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # a container's user may have no home
        return Path(tempfile.gettempdir(), f"chrysalis-{os.getuid()}")
    return folder


def _on_google_cloud() -> bool:
    """Whether this is one of its machines, with no emulator in place of its storage."""
    made_by = Path("/sys/class/dmi/id/product_name")
    return (
        "STORAGE_EMULATOR_HOST" not in os.environ
        and made_by.is_file()
        and made_by.read_text().startswith("Google")
    )


def _check_object(uri: str, shard: Shard) -> None:
    try:
        found = storage.stat(uri)
    except storage.NotFoundError:
        found = None
    if found is None or (found.bytes, found.crc32c) != (shard.bytes, shard.crc32c):
        raise InputError(f"{uri} isn't the shard that the index describes: run {ShardIndex.made_by} again")
