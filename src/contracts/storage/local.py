"""Storage on a local file system."""

import base64
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import google_crc32c

from contracts.storage import partials
from contracts.storage.partials import PARTIAL, temporary, tidy
from contracts.storage.types import ConflictError, FileInfo, NotFoundError, TooLargeError

TOGETHER = 128
"""Files that are copied and then published together: what a killed run loses at most."""

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
    with open_read(uri) as file:
        return file.read()


def read_bounded(uri: str, max_bytes: int, _timeout_s: float) -> bytes:
    with open_read(uri) as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise TooLargeError(f"{uri} has more than {max_bytes} bytes")
    return data


def write_bytes(uri: str, data: bytes, if_generation_match: int | None) -> FileInfo:
    if if_generation_match is None:
        with writing(uri) as partial:
            partial.write_bytes(data)
        return stat(uri)
    with temporary(Path(uri)) as partial:
        partial.write_bytes(data)
        partials.sync([partial])
        try:
            os.link(partial, uri)  # unlike a rename, it fails where the name is taken
        except FileExistsError:
            raise _conflict(uri) from None
    tidy([Path(uri).parent])
    return stat(uri)


def replace_bytes(uri: str, expected: bytes | None, data: bytes) -> None:
    if expected is None:
        write_bytes(uri, data, if_generation_match=0)
        return
    try:
        with Path(uri).open("r+b") as seen:  # as NFS gives this lock to writers only
            with suppress(OSError):  # no locks on this file system
                fcntl.flock(seen, fcntl.LOCK_EX)
            # Whoever waited may hold the lock of a file that another one has replaced by now.
            still = os.path.samestat(os.fstat(seen.fileno()), Path(uri).stat())
            if not still or seen.read() != expected:
                raise _conflict(uri)
            with writing(uri) as partial:
                partial.write_bytes(data)
    except FileNotFoundError:
        raise _conflict(uri) from None


def open_read(uri: str) -> BinaryIO:
    try:
        return open(uri, "rb")  # noqa: PTH123 - a Path takes half as long again, for each of a million images
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise _not_found(uri) from None


@contextmanager
def writing(uri: str, durable: bool = True) -> Iterator[Path]:
    path = Path(uri)
    tidy([path.parent])
    with writing_many([path], durable) as [partial]:
        yield partial


def sync(folder: str) -> None:
    partials.sync_whole(Path(folder))


@contextmanager
def writing_many(paths: Sequence[Path], durable: bool = True) -> Iterator[list[Path]]:
    """A temporary path for each, to write in place; all are published when the block ends well."""
    with ExitStack() as stack:
        written = [stack.enter_context(temporary(path)) for path in paths]
        yield written
        if durable:
            partials.sync(written)
        for partial, path in zip(written, paths, strict=True):
            partial.replace(path)


def download(uri: str, path: Path) -> None:
    if not Path(uri).is_file():
        raise _not_found(uri)
    with writing(str(path)) as partial:
        shutil.copyfile(uri, partial)


def upload(path: Path, uri: str) -> FileInfo:
    download(str(path), Path(uri))
    return stat(uri)


def download_many(folder: str, names: Iterable[str], into: Path) -> None:
    pairs = [(Path(folder, name), into / name) for name in names]
    tidy({target.parent for _, target in pairs})
    different = (pair for pair in pairs if not (pair[1].is_file() and _same(*pair)))
    while some := list(islice(different, TOGETHER)):
        with writing_many([target for _, target in some]) as copies:
            for (source, _), partial in zip(some, copies, strict=True):
                if not source.is_file():
                    raise _not_found(str(source))
                shutil.copyfile(source, partial)


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
                elif not entry.name.endswith(PARTIAL) and _is_file(entry):
                    yield FileInfo(below + entry.name, entry.stat().st_size, None, 0)


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link that leads to itself
        return False


def _same(one: Path, other: Path) -> bool:
    return one.stat().st_size == other.stat().st_size and checksum(one) == checksum(other)


def _conflict(uri: str) -> ConflictError:
    return ConflictError(f"{uri} was written by somebody else in the meantime")


def _not_found(uri: str) -> NotFoundError:
    return NotFoundError(f"{uri} doesn't exist")
