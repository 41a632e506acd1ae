"""A tar's blocks of 512 bytes: headers, and what pax headers say of the member that follows."""

import struct
from typing import Final, NamedTuple

from datapipeline.records.archives.member import DamagedError

BLOCK: Final = 512

SPARSE_NAME: Final = b"GNU.sparse.name"
_KNOWN: Final = (b"path", b"size", SPARSE_NAME, b"GNU.sparse.major", b"GNU.sparse.map", b"GNU.sparse.size")
_CHECKSUM: Final = slice(148, 156)
_LONGEST_NUMBER: Final = 20
"""Digits: more than 64 bits have."""


class Header(NamedTuple):
    """One block, as it states itself."""

    name: str
    size: int
    """Bytes of what follows, before it is filled up to whole blocks."""
    kind: bytes
    """The type flag, one byte."""
    more: bool
    """Of a sparse file: whether its map goes on in a further block."""


def parse_header(block: bytes) -> Header:
    """Read a header.

    Raises:
        DamagedError: its checksum or its numbers are wrong.
    """
    if _number(block[_CHECKSUM]) not in _checksums(block):
        raise DamagedError("a header is damaged, or it is no tar")
    size = _number(block[124:136])
    if size < 0:
        raise DamagedError(f"a header states a size of {size} bytes")
    name, prefix = text(block[:100]), text(block[345:500])
    if prefix and block[257:263] == b"ustar\0":  # of GNU's own kind, other things stand there
        name = f"{prefix}/{name}"
    return Header(name, size, block[156:157], block[482] != 0)


def pax_records(data: bytes) -> dict[bytes, bytes]:
    """Read a pax header's `length key=value` lines; those that say where a file lies and what it is called.

    Raises:
        DamagedError: a line isn't as long as it says.
    """
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(data) and data[at]:
        space = data.find(b" ", at, at + _LONGEST_NUMBER)
        end = at + _digits(data[at : max(space, at)])
        if not space < end <= len(data) or data[end - 1] != ord("\n"):
            raise DamagedError("a pax header is damaged")
        key, _, value = data[space + 1 : end - 1].partition(b"=")
        if key in _KNOWN:
            found[key] = value
        at = end
    return found


def pax_size(records: dict[bytes, bytes]) -> int | None:
    """The size that a pax header states."""
    return _digits(records[b"size"]) if b"size" in records else None


def text(raw: bytes) -> str:
    """A name up to its NUL."""
    return raw.partition(b"\0")[0].decode(errors="surrogateescape")


def whole_blocks(size: int) -> int:
    """Bytes that something of `size` bytes takes in a tar."""
    return -(-size // BLOCK) * BLOCK


def _digits(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > _LONGEST_NUMBER:
        raise DamagedError("a pax header is damaged")
    return int(digits)


def _number(field: bytes) -> int:
    """Octal digits; or, marked by the first byte, a binary number that may be negative."""
    if field[0] in (0x80, 0xFF):
        return int.from_bytes(field[1:], "big") - (field[0] == 0xFF) * (1 << 8 * (len(field) - 1))
    digits = field.partition(b"\0")[0].strip() or b"0"
    try:
        return int(digits, 8)
    except ValueError:
        raise DamagedError("a header is damaged, or it is no tar") from None


def _checksums(block: bytes) -> tuple[int, int]:
    """By unsigned bytes, and by signed ones as some old programs count; its own field counts as blanks."""
    rest = block[:148] + b" " * 8 + block[156:]
    return sum(rest), sum(struct.unpack("512b", rest))
