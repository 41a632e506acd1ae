"""Zip and tar archives, read member by member where they lie; nothing is ever unpacked into a folder.

A zip is read by ranged reads of its directory and its members. A tar has no directory: its headers are walked
once, and a member is then an offset and a size. A compressed tar can't be entered in the middle, so it is
decompressed once, as a whole, to a temporary tar (`decompressed`).
"""

import bz2
import errno
import gzip
import lzma
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, Protocol

from contracts import storage
from contracts.errors import InputError

SUFFIXES: Final = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")

_DAMAGES: Final = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError),
    *(NotImplementedError, UnicodeDecodeError),
)
"""What `zipfile` raises at a damaged member; bzip2 has an OSError besides."""


class UnreadableError(ValueError):
    """A member can't be read. The message is the reason, short enough for a table's cell."""


class Member(NamedTuple):
    """A file in an archive."""

    name: str
    """As the archive has it."""
    offset: int
    """Bytes from the archive's start: of a zip member's header, of a tar member's first byte."""
    bytes: int
    """Uncompressed."""
    trouble: str | None
    """Why it can't be read, where that is known already."""


class Archive(Protocol):
    """An open archive."""

    def members(self) -> list[Member]:
        """List its files."""

    def read(self, member: Member) -> bytes:
        """Read one file whole.

        Raises:
            UnreadableError: it is damaged, encrypted or compressed in an unknown way.
        """

    def close(self) -> None:
        """Close it."""


def is_archive(name: str) -> bool:
    """Whether a file's name is that of an archive."""
    return name.lower().endswith(SUFFIXES)


def open_archive(uri: str) -> Archive:
    """Open a zip or an uncompressed tar.

    Raises:
        InputError: it is none, or damaged.
        NotFoundError: it isn't there.
    """
    kind: type[_Zip | _Tar] = _Zip if uri.lower().endswith(".zip") else _Tar
    file = storage.open_read(uri)
    try:
        return kind(file)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, NotImplementedError, UnicodeDecodeError) as error:
        file.close()
        raise _broken(uri, error) from error


def decompressed(uri: str, folder: Path) -> str:
    """Give the URI that `open_archive` can open: the archive's own, or that of a plain tar made in `folder`.

    Raises:
        InputError: it isn't compressed as its name says, or ends too soon.
    """
    name = uri.lower()
    if name.endswith((".zip", ".tar")):
        return uri
    with (
        storage.open_read(uri) as packed,
        tempfile.NamedTemporaryFile(suffix=".tar", dir=folder, delete=False) as tar,
    ):
        try:
            with _decompressing(name, packed) as plain:
                shutil.copyfileobj(plain, tar, 1 << 20)
        except (gzip.BadGzipFile, lzma.LZMAError, zlib.error, EOFError, ValueError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:  # the disk's fault, not the archive's
                raise
            raise _broken(uri, error) from error
    return tar.name


def _decompressing(name: str, packed: BinaryIO) -> gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile:
    if name.endswith("gz"):
        return gzip.GzipFile(fileobj=packed)
    return bz2.BZ2File(packed) if name.endswith("bz2") else lzma.LZMAFile(packed)


def _broken(uri: str, error: Exception) -> InputError:
    return InputError(f"{uri} isn't an archive that can be read ({error}): download or make it again")


class _Zip:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._zip = zipfile.ZipFile(file)

    def members(self) -> list[Member]:
        infos = (info for info in self._zip.infolist() if not info.filename.endswith("/"))
        return [Member(info.filename, info.header_offset, info.file_size, _locked(info)) for info in infos]

    def read(self, member: Member) -> bytes:
        try:
            return self._zip.read(member.name)
        except _DAMAGES as error:
            raise UnreadableError(f"damaged in its archive: {error}") from error
        except OSError as error:
            if error.errno not in (None, errno.EINVAL):  # the disk's fault, not the archive's
                raise
            raise UnreadableError(f"damaged in its archive: {error}") from error

    def close(self) -> None:
        self._zip.close()
        self._file.close()


def _locked(info: zipfile.ZipInfo) -> str | None:
    return "encrypted in its archive" if info.flag_bits & 1 else None


class _Tar:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        with tarfile.open(fileobj=file, mode="r:") as tar:
            self._members = [
                Member(info.name, info.offset_data, info.size, None if info.isreg() else "a link or a device")
                for info in tar
                if not info.isdir()
            ]

    def members(self) -> list[Member]:
        return self._members

    def read(self, member: Member) -> bytes:
        self._file.seek(member.offset)
        data = self._file.read(member.bytes)
        if len(data) < member.bytes:
            raise UnreadableError("damaged in its archive: it ends too soon")
        return data

    def close(self) -> None:
        self._file.close()
