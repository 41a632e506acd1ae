"""The verbs of storage, each handed to the backend that the URI names."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO

from contracts.scratch import scratch
from contracts.storage import local, uris
from contracts.storage.types import Backend, FileInfo, NotFoundError

checksum = local.checksum


def stat(uri: str) -> FileInfo:
    """Tell a file's size and, for an object, its checksum and generation.

    Raises:
        NotFoundError: there is no such file.
        UnreachableError: the bucket can't be used.
    """
    return _backend(uri).stat(uri)


def exists(uri: str) -> bool:
    """Whether there is a file of that name (a folder is none)."""
    try:
        stat(uri)
    except NotFoundError:
        return False
    return True


def iter_files(folder: str) -> Iterator[FileInfo]:
    """Give every file below a folder, at any depth and in no order; temporary ones are left out.

    The listing is never held as a whole: its memory doesn't grow with the number of files. Links to files
    count as files, links to folders aren't followed.

    Raises:
        NotFoundError: there is no such folder. A prefix with no object below it counts as none. It is raised
            by the call, not by the first file.
        UnreachableError: the bucket can't be used.
    """
    return _backend(folder).iter_files(folder)


def list_files(folder: str) -> list[FileInfo]:
    """List what `iter_files` gives, sorted by name.

    Raises:
        NotFoundError: there is no such folder. A prefix with no object below it counts as none.
        UnreachableError: the bucket can't be used.
    """
    return sorted(iter_files(folder))


def read_bytes(uri: str) -> bytes:
    """Read a whole file; an object's checksum is verified.

    Raises:
        NotFoundError: there is no such file.
        CorruptError: the bytes don't have the object's checksum.
    """
    return _backend(uri).read_bytes(uri)


def read_bounded(uri: str, *, max_bytes: int, timeout_s: float) -> bytes:
    """Read a whole file for somebody who waits: no more bytes, and not much longer, than that.

    An object's size is asked before anything of it is fetched, and its checksum is verified. No listing is
    asked for, so the right to read objects is enough; a bucket that doesn't exist is a NotFoundError then.

    Args:
        uri: what to read.
        max_bytes: of the file.
        timeout_s: after that long nothing more is tried; a request under way may take as long again.

    Raises:
        NotFoundError: there is no such file.
        TooLargeError: it has more bytes.
        ForbiddenError: the credentials don't open it.
        UnreachableError: the bucket doesn't answer in time.
        CorruptError: the bytes don't have the object's checksum.
    """
    return _backend(uri).read_bounded(uri, max_bytes, timeout_s)


def write_bytes(uri: str, data: bytes, *, if_generation_match: int | None = None) -> FileInfo:
    """Publish `data` under a final name, atomically.

    Args:
        uri: where to.
        data: the whole file.
        if_generation_match: write only if the object still has this generation; 0: only if there is none.
            A local file has generation 0, so there 0 means "create, or fail if it exists".

    Raises:
        ConflictError: the precondition didn't hold; nothing was written.
    """
    return _backend(uri).write_bytes(uri, data, if_generation_match)


def replace_bytes(uri: str, expected: bytes | None, data: bytes) -> None:
    """Publish `data` under a final name, atomically, but only in place of what the caller has seen there.

    Of several processes that saw the same file, one succeeds.

    Args:
        uri: where to.
        expected: what `read_bytes` gave; None: there was no such file.
        data: the whole file.

    Raises:
        ConflictError: the file is another one by now; nothing was written.
    """
    _backend(uri).replace_bytes(uri, expected, data)


def open_read(uri: str) -> BinaryIO:
    """Open a file for reading; seekable, so zipfile can read a member of a large object by ranged reads.

    What is read this way has the length that it should, but Cloud Storage has no checksum of a part: whoever
    reads has its own, as a zip's members have.
    """
    return _backend(uri).open_read(uri)


def writing(uri: str, *, durable: bool = True) -> AbstractContextManager[Path]:
    """Give a temporary local path to write to, and publish it under `uri` when the block ends well.

    An empty file is there already, locked: write in place (`open("wb")`), don't put another in its place.
    When the block ends with an exception, nothing is published and the temporary file is gone.

    Args:
        uri: where to.
        durable: wait until the disk holds the file, lest a crash of the machine leave its name without its
            bytes. Who writes many files, and a document in the end that vouches for them, calls `sync` before
            that instead.
    """
    return _backend(uri).writing(uri, durable)


def sync(folder: str) -> None:
    """Wait until the disk holds all that was written to a local folder; objects are safe as they are."""
    _backend(folder).sync(folder)


def download(uri: str, path: Path) -> None:
    """Copy one file to a local path, atomically and verified."""
    _backend(uri).download(uri, path)


def upload(path: Path, uri: str) -> FileInfo:
    """Copy one local file to a URI, atomically and verified."""
    return _backend(uri).upload(path, uri)


def download_many(folder: str, names: Iterable[str], into: Path) -> None:
    """Copy the named files of a folder into a local one, in parallel; whole ones there are skipped."""
    _backend(folder).download_many(folder, names, into)


def upload_many(source: Path, names: Iterable[str], folder: str) -> None:
    """Copy the named files of a local folder to a URI, in parallel, replacing what differs."""
    _backend(folder).upload_many(source, names, folder)


def delete(uri: str) -> None:
    """Remove a file; that it isn't there is fine."""
    _backend(uri).delete(uri)


@contextmanager
def local_copy(uri: str) -> Iterator[Path]:
    """Give a local path that holds the file or the folder: itself if it is local, else a temporary copy.

    Raises:
        NotFoundError: there is neither a file nor a folder of that name.
    """
    if not uris.is_remote(uri):
        path = Path(uri)
        if not path.exists():
            raise NotFoundError(f"{uri} doesn't exist: name a file or a folder that does")
        yield path
        return
    with scratch() as folder:
        copy = Path(folder, uris.last_part(uri))
        if exists(uri):
            download(uri, copy)
        else:
            download_many(uri, [file.name for file in list_files(uri)], copy)
        yield copy


def _backend(uri: str) -> Backend:
    uris.check(uri)
    if uris.is_remote(uri):
        # Google's client takes most of a second to import: only who has a bucket pays for it.
        from contracts.storage import gcs

        return gcs
    return local
