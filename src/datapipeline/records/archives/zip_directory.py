"""A zip's central directory, walked as a stream: `zipfile` would keep some 700 bytes for every member."""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from datapipeline.records.archives.member import DamagedError, Member
from datapipeline.records.archives.ranged import Ranged
from datapipeline.records.archives.zip_extra import decoded, wide
from datapipeline.records.archives.zip_trouble import Entry, trouble

_TAIL: Final = 22 + 0xFFFF
_END, _LOCATOR, _END_64, _ENTRY = b"PK\5\6", b"PK\6\7", b"PK\6\6", b"PK\1\2"
_END_RECORD: Final = struct.Struct("<4s4H2LH")
_LOCATOR_RECORD: Final = struct.Struct("<4sLQL")
_END_RECORD_64: Final = struct.Struct("<4s12x2L4Q")
_ENTRY_RECORD: Final = struct.Struct("<4s4x2H4x3L3H4x2L")
_UTF_8: Final = 0x800

_CHUNK: Final = 1 << 16
"""Bytes of the directory held at a time."""

_ATTEMPTS: Final = 64
"""End records looked at: a comment may hold what looks like one."""


class Directory(NamedTuple):
    """Where a zip's directory lies; all in bytes from the file's start."""

    start: int
    end: int
    members: int
    """As the end record counts them."""
    counted: int
    """The count's modulus: without zip64, programs write its last 16 bits."""
    shift: int
    """What stands before the zip (a program that unpacks it): offsets count from there."""


def find_directory(file: Ranged) -> Directory:
    """Find the directory by the end record, the last one that fits.

    Raises:
        DamagedError: there is none.
    """
    start = max(0, file.size - _TAIL)
    tail = file.read(start, _TAIL)
    at, reasons = len(tail), []
    for _ in range(_ATTEMPTS):
        at = tail.rfind(_END, 0, at + 3)
        if at < 0:
            break
        try:
            return _by_end_record(file, tail[at : at + _END_RECORD.size], start + at)
        except DamagedError as error:
            reasons.append(error)
    raise reasons[0] if reasons else DamagedError("it has no directory at its end")


def entries(file: Ranged, directory: Directory) -> Iterator[Member]:
    """Walk the directory; folders are left out.

    Raises:
        DamagedError: it isn't what its end record says.
    """
    window = _Window(file, directory.start, directory.end)
    count = 0
    while not window.is_at_end():
        entry = _entry(window, directory.shift)
        count += 1
        if not entry.is_folder():
            yield _member(entry, directory.start)
    if count % directory.counted != directory.members % directory.counted:
        raise DamagedError(f"its directory holds {count} members and should hold {directory.members}")


def _by_end_record(file: Ranged, record: bytes, at: int) -> Directory:
    if len(record) < _END_RECORD.size:
        raise DamagedError("it ends too soon")
    _, disk, _, _, members, length, offset, _ = _END_RECORD.unpack(record)
    counted = 1 << 16
    found = _end_record_64(file, at)
    if found is not None:
        at, disk, members, length, offset = found
        counted = 1 << 64
    if disk not in (0, 0xFFFF):
        raise DamagedError("it is one part of several: join them first")
    for start in (at - length, offset):  # before the end record; or where it says, with something in between
        if offset <= start <= start + length <= at and (
            _begins_entry(file, start) if length else start == offset == at
        ):
            return Directory(start, start + length, members, counted, start - offset)
    raise DamagedError("its directory isn't where it should be")


def _end_record_64(file: Ranged, end: int) -> tuple[int, int, int, int, int] | None:
    """Of the end record of 64 bits, if there is one: where it lies, and what it says."""
    if end < 20:
        return None
    signature, _, stated, _ = _LOCATOR_RECORD.unpack(file.read(end - 20, 20))
    if signature != _LOCATOR:
        return None
    for at in (stated, end - 20 - 56):  # what stands before the zip may move it
        if 0 <= at <= end - 20 - 56:
            signature, disk, _, _, members, length, offset = _END_RECORD_64.unpack(file.read(at, 56))
            if signature == _END_64:
                return at, disk, members, length, offset
    raise DamagedError("its end record of 64 bits isn't where it should be")


def _begins_entry(file: Ranged, start: int) -> bool:
    return file.read(start, 4) == _ENTRY


class _Window:
    """A stretch of a file, read forward."""

    def __init__(self, file: Ranged, start: int, end: int) -> None:
        self._file, self._next, self._end = file, start, end
        self._buffer, self._at = b"", 0

    def is_at_end(self) -> bool:
        return self._at == len(self._buffer) and self._next >= self._end

    def take(self, count: int) -> bytes:
        if len(self._buffer) - self._at < count:
            self._fill(count)
        self._at += count
        return self._buffer[self._at - count : self._at]

    def _fill(self, count: int) -> None:
        more = self._file.read(self._next, min(max(_CHUNK, count), self._end - self._next))
        self._next += len(more)
        self._buffer, self._at = self._buffer[self._at :] + more, 0
        if len(self._buffer) < count:
            raise DamagedError("its directory ends too soon")


def _entry(window: _Window, shift: int) -> Entry:
    head = _ENTRY_RECORD.unpack(window.take(_ENTRY_RECORD.size))
    signature, flags, method, crc32, packed, size, name_length, extra_length, comment_length, mode, offset = (
        head
    )
    if signature != _ENTRY:
        raise DamagedError("its directory is damaged")
    raw, extra = window.take(name_length), window.take(extra_length)
    window.take(comment_length)
    size, packed, offset = wide(extra, (size, packed, offset))
    name = decoded(raw, bool(flags & _UTF_8), extra)
    return Entry(name, shift + offset, size, packed, method, crc32, flags, mode >> 16)


def _member(entry: Entry, limit: int) -> Member:
    return Member(*entry[:6], trouble(entry, limit))
