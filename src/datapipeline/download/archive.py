"""Whether a file is an archive, and whether all of it is there."""

import bz2
import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from contracts import storage
from contracts.errors import InputError

_BLOCK = 1 << 20

_PACKED: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}
"""What a packed tar starts with, and what unpacks it."""


def check_archive(path: str | Path, name: str) -> None:
    """Refuse a file that is neither zip nor tar, by its content; `name` is for the message."""
    with storage.open_read(str(path)) as file:
        if zipfile.is_zipfile(file):
            return
        file.seek(0)
        with suppress(EOFError):  # a compressed one that stops in its first block
            if tarfile.is_tarfile(file):
                return
        file.seek(0)
        start = file.read(20)
    if start.startswith(b"PK\x03\x04"):
        raise InputError(f"{name} is a zip without its end: {_CUT}")
    raise InputError(
        f"{name} is no archive (expected zip, tar or tar.gz; it starts with {start!r}): "
        "name an archive, or a folder of images in class folders"
    )


def check_end(path: Path, name: str) -> None:
    """Refuse an archive that stops before its end: what came has the length that the server told, no more.

    A zip's end is what `check_archive` looks for. A packed tar is unpacked once, into nothing.

    Raises:
        InputError: it is cut short, or damaged.
    """
    with path.open("rb") as file:
        start = file.read(8)
    try:
        for magic, opener in _PACKED.items():
            if start.startswith(magic):
                _read_through(opener(path))
        if tarfile.is_tarfile(path):
            _walk(path)
    except (EOFError, tarfile.ReadError, OSError, zlib.error, lzma.LZMAError) as error:
        raise InputError(f"{name} stops before its end, or is damaged ({error}): {_CUT}") from error


_CUT = "the server told another length than the file has; fetch it again, or from elsewhere"


def _read_through(file: IO[bytes]) -> None:
    with file:
        while file.read(_BLOCK):
            pass


def _walk(path: Path) -> None:
    """Go from header to header of a plain tar: one that points beyond the end is an error."""
    try:
        archive: Any = tarfile.open(path, "r:")  # noqa: SIM115
    except tarfile.ReadError:
        return  # a packed one, whose end was seen
    with archive:
        while archive.next():
            archive.members = []  # else it keeps every header
