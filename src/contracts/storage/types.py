"""What storage tells of a file, and what can go wrong."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from contracts.errors import InputError, StageError


class FileInfo(NamedTuple):
    """A file as a listing shows it."""

    name: str
    """Relative to the folder that was listed, with forward slashes; the last part for a single file."""
    bytes: int
    crc32c: str | None
    """As stored with an object; None for a local file, whose checksum costs a read: `storage.checksum`."""
    generation: int
    """An object's generation; 0 for a local file."""


class NotFoundError(InputError):
    """There is nothing at that URI."""


class UnreachableError(InputError):
    """The bucket doesn't exist, can't be reached, or the credentials don't open it."""


class ForbiddenError(UnreachableError):
    """The bucket answers, but the credentials don't open it."""


class TooLargeError(InputError):
    """The file has more bytes than the reader takes."""


class ConflictError(StageError):
    """Somebody else wrote the file in the meantime, so this write did not happen."""


class CorruptError(StageError):
    """The bytes that arrived don't have the checksum that they should."""


class Backend(Protocol):
    """One kind of storage. `contracts.storage.files` says what each verb does."""

    def stat(self, uri: str) -> FileInfo: ...
    def iter_files(self, folder: str) -> Iterator[FileInfo]: ...
    def read_bytes(self, uri: str) -> bytes: ...
    def read_bounded(self, uri: str, max_bytes: int, timeout_s: float) -> bytes: ...
    def write_bytes(self, uri: str, data: bytes, if_generation_match: int | None) -> FileInfo: ...
    def replace_bytes(self, uri: str, expected: bytes | None, data: bytes) -> None: ...
    def open_read(self, uri: str) -> BinaryIO: ...
    def writing(self, uri: str, durable: bool) -> AbstractContextManager[Path]: ...
    def sync(self, folder: str) -> None: ...
    def download(self, uri: str, path: Path) -> None: ...
    def upload(self, path: Path, uri: str) -> FileInfo: ...
    def download_many(self, folder: str, names: Iterable[str], into: Path) -> None: ...
    def upload_many(self, source: Path, names: Iterable[str], folder: str) -> None: ...
    def delete(self, uri: str) -> None: ...
