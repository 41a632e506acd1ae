"""The extra fields of a zip's headers, and the names that a header may mean."""

import zlib
from collections.abc import Iterator
from typing import Final

from datapipeline.records.archives.member import DamagedError

_ZIP_64, _UNICODE_PATH = 0x0001, 0x7075
_IN_EXTRA: Final = 0xFFFF_FFFF
"""Stands for a number of 64 bits that the extra field has."""


def wide(extra: bytes, numbers: tuple[int, int, int]) -> tuple[int, int, int]:
    """Give uncompressed size, compressed size and offset, those of 64 bits taken from the extra field.

    Raises:
        DamagedError: they aren't there.
    """
    if _IN_EXTRA not in numbers:
        return numbers
    field = next((data for tag, data in _fields(extra) if tag == _ZIP_64), b"")
    if len(field) < 8 * numbers.count(_IN_EXTRA):
        raise DamagedError("its directory lacks a size of 64 bits")
    words = (int.from_bytes(field[at : at + 8], "little") for at in range(0, len(field), 8))
    size, packed, offset = (next(words) if number == _IN_EXTRA else number for number in numbers)
    return size, packed, offset


def decoded(raw: bytes, is_utf_8: bool, extra: bytes) -> str:
    """A member's name: by Info-ZIP's extra field, else as UTF-8 if it says so, else in the code page 437."""
    name = _unicode_path(raw, extra)
    if name is not None:
        return name
    return raw.decode(errors="surrogateescape") if is_utf_8 else raw.decode("cp437")


def may_mean(raw: bytes, extra: bytes, name: str) -> bool:
    """Whether a local header's name is that name, however it is encoded: programs differ in the flags."""
    return name in (decoded(raw, True, extra), decoded(raw, True, b""), decoded(raw, False, b""))


def _unicode_path(raw: bytes, extra: bytes) -> str | None:
    for tag, data in _fields(extra):
        # It begins with its version, 1, and the checksum of the name that it stands for.
        if tag == _UNICODE_PATH and data[:5] == b"\1" + zlib.crc32(raw).to_bytes(4, "little"):
            return data[5:].decode(errors="surrogateescape")
    return None


def _fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """Tags and contents; what some programs fill up with, and isn't whole, is left out."""
    at = 0
    while at + 4 <= len(extra):
        end = at + 4 + int.from_bytes(extra[at + 2 : at + 4], "little")
        if end > len(extra):
            return
        yield int.from_bytes(extra[at : at + 2], "little"), extra[at + 4 : end]
        at = end
