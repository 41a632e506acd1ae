"""A member as a zip's directory has it, and why it would be refused."""

import stat
import zipfile
from typing import Final, NamedTuple

from datapipeline.records.archives.member import DAMAGED, LINK_OR_DEVICE, OUTSIDE, is_no_file

METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
"""What can be unpacked."""

HARMLESS: Final = 1 << 20
"""Bytes that anything may unpack to: a small picture of one colour is packed 2,000 times by LZMA."""

BLANK_UP_TO: Final = 64 << 20
"""Bytes up to which a member may be packed 1,000 times, as an uncompressed page with a few lines is; above,
100 times: drawings of that size stay below it."""

_ENCRYPTED: Final = 0x1 | 0x40 | 0x2000
_PATCH: Final = 0x20
_HEADER: Final = 30


class Entry(NamedTuple):
    """A member of the directory; see `Member` for the first six."""

    name: str
    offset: int
    bytes: int
    packed: int
    method: int
    crc32: int
    flags: int
    mode: int
    """Of Unix, type and permissions; 0: none is stated."""

    def is_folder(self) -> bool:
        """Whether it stands for a folder; some programs of Windows end those in a backslash."""
        return self.name.endswith("/") or (
            self.bytes == 0 and (self.name.endswith("\\") or stat.S_ISDIR(self.mode))
        )


def trouble(entry: Entry, limit: int) -> str | None:
    """Why a member can't be taken, by its directory's word alone; None: it can.

    Args:
        entry: the member.
        limit: bytes from the file's start up to which members may lie.
    """
    if is_no_file(entry.mode):
        return LINK_OR_DEVICE
    if entry.flags & _ENCRYPTED:
        return "encrypted in its archive"
    if entry.method not in METHODS or entry.flags & _PATCH:
        return f"compressed in an unknown way: method {entry.method}"
    if entry.offset + _HEADER + len(entry.name) + entry.packed > limit:
        return OUTSIDE
    return _wrong_sizes(entry)


def _wrong_sizes(entry: Entry) -> str | None:
    size, packed = entry.bytes, entry.packed
    if (size != packed) if entry.method == zipfile.ZIP_STORED else (packed > 2 * size + HARMLESS):
        return f"{DAMAGED}: {size} bytes can't take {packed}"
    times = 1000 if size <= BLANK_UP_TO else 100
    if size > HARMLESS and size > times * packed:
        return f"an archive bomb: {packed} bytes that unpack to {size}"
    return None
