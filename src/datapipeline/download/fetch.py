"""Bring an origin's files into the output folder, each under its final name once it is whole and checked."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from contracts import storage
from contracts.console import progress
from contracts.dataset import SourceFile, SourceOrigin
from contracts.scratch import scratch
from contracts.storage import FileInfo
from datapipeline.download.origin import Origin
from datapipeline.download.over_http import fetch_http, mismatch

_GROUP = 1000
"""Files that cross together; after each group the progress moves."""

_BLOCK = 1 << 20


def fetch(origin: Origin, output: str) -> tuple[SourceFile, ...]:
    """Fetch every file of `origin` into `output`; whole ones that are there already stay.

    Returns:
        The files as they are in the output, by their names there.

    Raises:
        InputError: the address doesn't exist, can't be reached, or gives no archive.
        StageError: the transfer failed, or its bytes aren't those that were stated.
    """
    if origin.folder is None:
        return (fetch_http(origin, output),)
    if origin.sha256:
        _check_bytes(origin.folder, origin)
    names = [file.name for file in origin.files]
    copies = _copy(origin.folder, names, origin.target(output))
    for _ in progress(copies, total=len(names), what="copying", unit="file"):
        pass
    there = {file.name: file for file in _look(origin, output)}
    return tuple(
        SourceFile(
            name=placed,
            bytes=there[file.name].bytes,
            crc32c=there[file.name].crc32c or storage.checksum(Path(output, placed)),
            sha256=origin.sha256,
        )
        for placed, file in origin.placed().items()
    )


def _look(origin: Origin, output: str) -> Iterable[FileInfo]:
    """The files of the output among which the origin's are."""
    if origin.is_archive:
        return [storage.stat(storage.join(output, origin.name))]
    return storage.iter_files(origin.target(output))


def reuse(known: SourceOrigin, origin: Origin, output: str) -> None:
    """Give files that are in the output, but in another place, a second name there: they needn't cross again.

    Only in a local folder. Whether they are still the origin's is for `fetch` to check, as of every file.
    """
    if storage.is_remote(output) or origin.is_archive:
        return
    for file in origin.files:
        old, new = Path(output, known.folder, file.name), Path(output, origin.place, file.name)
        if old.is_file() and not new.exists():
            _linked(old, new)


def _copy(folder: str, names: Sequence[str], output: str) -> Iterator[str]:
    for start in range(0, len(names), _GROUP):
        group = names[start : start + _GROUP]
        if not storage.is_remote(folder) and not storage.is_remote(output):
            rest = [name for name in group if not _linked(Path(folder, name), Path(output, name))]
            storage.download_many(folder, rest, Path(output))
        elif not storage.is_remote(folder):
            storage.upload_many(Path(folder), group, output)
        elif not storage.is_remote(output):
            storage.download_many(folder, group, Path(output))
        else:
            with scratch() as between:
                storage.download_many(folder, group, Path(between))
                storage.upload_many(Path(between), group, output)
        yield from group


def _linked(source: Path, target: Path) -> bool:
    """Give a file a second name, which costs neither space nor time; False where it has to be copied."""
    if target.is_file():
        return target.samefile(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if source.is_symlink():  # an edit of ours would reach what it leads to
            return False
        os.link(source, target)
    except OSError:
        return False
    return True


def _check_bytes(folder: str, origin: Origin) -> None:
    """Compare an archive with what is stated of it."""
    file = origin.files[0]
    with storage.open_read(storage.join(folder, file.name)) as opened:
        sha256 = hashlib.sha256()
        while block := opened.read(_BLOCK):
            sha256.update(block)
    if sha256.hexdigest() != origin.sha256:
        raise mismatch(origin, file.bytes, sha256.hexdigest())
