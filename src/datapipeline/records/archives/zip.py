"""A zip: its directory is walked as a stream, and each member is read by its own header's place."""

import bz2
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Final

from datapipeline.records.archives.member import (
    DAMAGED,
    OUTSIDE,
    TOO_SHORT,
    DamagedError,
    Member,
    UnreadableError,
    broken,
)
from datapipeline.records.archives.ranged import Ranged
from datapipeline.records.archives.zip_directory import entries, find_directory
from datapipeline.records.archives.zip_extra import may_mean

_LOCAL: Final = struct.Struct("<4s4xH16x2H")
_SMALLEST_DICTIONARY: Final = 4096


class ZipArchive:
    """An open zip; see `Archive`."""

    def __init__(self, file: Ranged, uri: str) -> None:
        """Find the directory.

        Raises:
            DamagedError: there is none.
        """
        self._file, self._uri = file, uri
        self._directory = find_directory(file)

    def members(self) -> Iterator[Member]:
        """See `Archive.members`."""
        try:
            yield from entries(self._file, self._directory)
        except DamagedError as error:
            raise broken(self._uri, error) from error

    def read(self, member: Member) -> bytes:
        """See `Archive.read`."""
        if member.trouble is not None:
            raise UnreadableError(member.trouble)
        packed = self._packed(member)
        try:
            data = _unpacked(packed, member)
        except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
            raise UnreadableError(f"{DAMAGED}: {error}") from error
        if len(data) != member.bytes:
            raise UnreadableError(
                TOO_SHORT if len(data) < member.bytes else f"{DAMAGED}: longer than it should be"
            )
        if zlib.crc32(data) != member.crc32:
            raise UnreadableError(f"{DAMAGED}: its checksum is wrong")
        return data

    def close(self) -> None:
        """Close its file."""
        self._file.close()

    def _packed(self, member: Member) -> bytes:
        """The compressed bytes, behind the member's own header."""
        if member.offset + _LOCAL.size + member.packed > self._file.size:
            raise UnreadableError(OUTSIDE)
        at = member.offset + _LOCAL.size
        local = self._file.read(member.offset, _LOCAL.size)
        signature, method, name_length, extra_length = _LOCAL.unpack(local)
        names = self._file.read(at, name_length + extra_length)
        raw, extra = names[:name_length], names[name_length:]
        if signature != b"PK\3\4" or method != member.method or not may_mean(raw, extra, member.name):
            raise UnreadableError(f"{DAMAGED}: its own header disagrees with the directory")
        packed = self._file.read(at + name_length + extra_length, member.packed)
        if len(packed) < member.packed:
            raise UnreadableError(TOO_SHORT)
        return packed


def _unpacked(packed: bytes, member: Member) -> bytes:
    """Unpack; no more than a byte above the stated size, however much there would be."""
    most = member.bytes + 1
    match member.method:
        case zipfile.ZIP_STORED:
            return packed
        case zipfile.ZIP_DEFLATED:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, most)
        case zipfile.ZIP_BZIP2:
            return bz2.BZ2Decompressor().decompress(packed, most)
        case zipfile.ZIP_LZMA:
            return _lzma(packed, member.bytes).decompress(packed[9:], most)
    raise ValueError(f"method {member.method}")


def _lzma(packed: bytes, size: int) -> lzma.LZMADecompressor:
    """The decompressor that the member's first 9 bytes ask for: a version, a length, and settings."""
    if len(packed) < 9 or packed[2:4] != b"\5\0":
        raise ValueError("its LZMA settings are none")
    settings, dictionary = packed[4], int.from_bytes(packed[5:9], "little")
    # A dictionary beyond the whole file is memory for nothing, and up to 4 GiB of it.
    most = max(_SMALLEST_DICTIONARY, min(dictionary, size))
    rest, lc = divmod(settings, 9)
    pb, lp = divmod(rest, 5)
    filters = [{"id": lzma.FILTER_LZMA1, "lc": lc, "lp": lp, "pb": pb, "dict_size": most}]
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)
