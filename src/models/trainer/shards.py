"""The files of a processed data set, on this machine. Nothing is scanned: the index says what there is."""

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


def local_shards(uri: str, index: ShardIndex, splits: Collection[Split] = SPLITS) -> Shards:
    """Give the shards of some splits as local paths; those of a bucket are fetched first, and verified.

    Raises:
        InputError: a shard is missing, or isn't the one that the index describes.
    """
    wanted = [shard for split in splits for shard in index.shards[split]]
    folder = _fetched(uri, index, wanted) if storage.is_remote(uri) else Path(uri)
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
            if storage.checksum(Path(path)) != shard.crc32c:
                return StageError(
                    f"the shard {path} is damaged (its crc32c differs from the index's): delete it and run "
                    f"{ShardIndex.made_by} again"
                )
    return None


def _fetched(uri: str, index: ShardIndex, wanted: Collection[Shard]) -> Path:
    folder = _cache() / digest_of(index)[:16]
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


def _cache() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    folder = base / "chrysalis" / "shards"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # a container's user may have no home
        return Path(tempfile.mkdtemp(prefix="chrysalis-shards-"))
    return folder
