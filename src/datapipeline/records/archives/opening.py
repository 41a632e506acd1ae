"""From a URI to an open archive."""

import bz2
import errno
import gzip
import lzma
import shutil
import tempfile
import zlib
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, Final

from contracts import storage
from contracts.errors import StageError
from datapipeline.records.archives.member import Archive, DamagedError, broken
from datapipeline.records.archives.ranged import Ranged
from datapipeline.records.archives.tar import TarArchive
from datapipeline.records.archives.zip import ZipArchive

SUFFIXES: Final = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")

PLAIN_UP_TO: Final = 4 << 30
"""Bytes that a compressed tar may always unpack to."""

TIMES_UP_TO: Final = 100
"""How many times its own size it may unpack to; a tar of photos unpacks to little more than itself."""

SPARE: Final = 16 << 20
"""Bytes of the disk that are left to others."""

_CHUNK: Final = 1 << 20

_DAMAGES: Final = (DamagedError, lzma.LZMAError, zlib.error, EOFError)


def is_archive(name: str) -> bool:
    """Whether a file's name is that of an archive."""
    return name.lower().endswith(SUFFIXES)


def open_archive(uri: str) -> Archive:
    """Open a zip or an uncompressed tar; only its end or its first block is read.

    Raises:
        InputError: it is none.
        NotFoundError: it isn't there.
    """
    kind: type[ZipArchive | TarArchive] = ZipArchive if uri.lower().endswith(".zip") else TarArchive
    file = Ranged(uri)
    try:
        return kind(file, uri)
    except DamagedError as error:
        file.close()
        raise broken(uri, error) from error
    except BaseException:
        file.close()
        raise


def decompressed(uri: str, folder: Path) -> str:
    """Give the URI that `open_archive` can open: the archive's own, or that of a plain tar made in `folder`.

    Raises:
        InputError: it isn't compressed as its name says, ends too soon, holds no tar, or is a bomb.
        StageError: the disk is too small.
    """
    name = uri.lower()
    if name.endswith((".zip", ".tar")):
        return uri
    limit = max(PLAIN_UP_TO, TIMES_UP_TO * storage.stat(uri).bytes)
    # In a folder of its own it keeps the archive's name, for messages.
    tar = Path(tempfile.mkdtemp(dir=folder), storage.last_part(uri))
    try:
        with storage.open_read(uri) as packed, tar.open("xb") as plain:
            _copy(_decompressing(name, packed), plain, limit, folder)
        with closing(Ranged(str(tar))) as plain_tar:
            TarArchive(plain_tar, uri)
    except (gzip.BadGzipFile, *_DAMAGES, OSError) as error:
        tar.unlink()
        if not isinstance(error, OSError) or error.errno is None:
            raise broken(uri, error) from error
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StageError(
                f"{folder} has no room for {uri} once decompressed: make some, or set TMPDIR to a folder "
                "of a larger disk"
            ) from error
        raise
    except BaseException:
        tar.unlink()
        raise
    return str(tar)


def _decompressing(name: str, packed: BinaryIO) -> gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile:
    if name.endswith("gz"):
        return gzip.GzipFile(fileobj=packed)
    return bz2.BZ2File(packed) if name.endswith("bz2") else lzma.LZMAFile(packed)


def _copy(
    source: gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile, target: BinaryIO, limit: int, folder: Path
) -> None:
    while chunk := source.read(_CHUNK):
        limit -= len(chunk)
        if limit < 0:
            raise DamagedError(f"a bomb: it unpacks to {TIMES_UP_TO} times its size, and more")
        if shutil.disk_usage(folder).free < len(chunk) + SPARE:
            raise OSError(errno.ENOSPC, "no space left")  # told before others feel it
        target.write(chunk)
