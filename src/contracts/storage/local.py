"""Storage on a local file system."""

import base64
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import google_crc32c

from contracts.storage.types import ConflictError, FileInfo, NotFoundError

PARTIAL = ".partial"
"""What a temporary file's name ends in: `.index.json.1234.partial` beside `index.json`."""

_CHUNK = 1 << 20


def checksum(path: Path) -> str:
    """crc32c of a local file, base64 as Cloud Storage gives it."""
    crc = google_crc32c.Checksum()
    with path.open("rb") as file:
        for _ in crc.consume(file, _CHUNK):
            pass
    return base64.b64encode(crc.digest()).decode()


def stat(uri: str) -> FileInfo:
    path = Path(uri)
    if not path.is_file():
        raise _not_found(uri)
    return FileInfo(path.name, path.stat().st_size, None, 0)


def iter_files(folder: str) -> Iterator[FileInfo]:
    if not Path(folder).is_dir():
        raise _not_found(folder)
    return _walk(folder)


def read_bytes(uri: str) -> bytes:
    try:
        return Path(uri).read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise _not_found(uri) from None


def write_bytes(uri: str, data: bytes, if_generation_match: int | None) -> FileInfo:
    with _temporary(Path(uri)) as partial:
        partial.write_bytes(data)
        if if_generation_match is None:
            _publish(partial, Path(uri))
        else:
            try:
                os.link(partial, uri)  # unlike a rename, it fails where the name is taken
            except FileExistsError:
                raise ConflictError(f"{uri} was written by somebody else in the meantime") from None
    return stat(uri)


def open_read(uri: str) -> BinaryIO:
    try:
        return Path(uri).open("rb")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise _not_found(uri) from None


@contextmanager
def writing(uri: str) -> Iterator[Path]:
    with _temporary(Path(uri)) as partial:
        yield partial
        _publish(partial, Path(uri))


def download(uri: str, path: Path) -> None:
    if not Path(uri).is_file():
        raise _not_found(uri)
    with _temporary(path) as partial:
        shutil.copyfile(uri, partial)
        _publish(partial, path)


def upload(path: Path, uri: str) -> FileInfo:
    download(str(path), Path(uri))
    return stat(uri)


def download_many(folder: str, names: Iterable[str], into: Path) -> None:
    for name in names:
        source, target = Path(folder, name), into / name
        if not (target.is_file() and _same(source, target)):
            download(str(source), target)


def upload_many(source: Path, names: Iterable[str], folder: str) -> None:
    download_many(str(source), names, Path(folder))


def delete(uri: str) -> None:
    Path(uri).unlink(missing_ok=True)


def _walk(folder: str) -> Iterator[FileInfo]:
    """List with no Path made for a file: that costs five times as much."""
    waiting = [""]
    while waiting:
        below = waiting.pop()
        with os.scandir(os.path.join(folder, below)) as entries:  # noqa: PTH118
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(f"{below}{entry.name}/")
                elif entry.is_file() and not entry.name.endswith(PARTIAL):
                    yield FileInfo(below + entry.name, entry.stat().st_size, None, 0)


def _same(one: Path, other: Path) -> bool:
    return one.stat().st_size == other.stat().st_size and checksum(one) == checksum(other)


@contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}{PARTIAL}")
    partial.unlink(missing_ok=True)  # of a killed run: in a container every process has the same number
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def _publish(partial: Path, target: Path) -> None:
    with partial.open("rb") as file:
        os.fsync(file.fileno())  # else a crash after the rename can leave a final name with no bytes
    partial.replace(target)


def _not_found(uri: str) -> NotFoundError:
    return NotFoundError(f"{uri} doesn't exist")
