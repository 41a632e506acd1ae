"""A plain tar: its headers are walked, and a member is then an offset and a size.

`tarfile` keeps every header that it has seen, ends quietly at a damaged one, and takes hours over some that
are made for it; so the headers (ustar, GNU, pax) are read here, in constant memory.
"""

import zipfile
from collections.abc import Iterator
from typing import Final, NamedTuple

from datapipeline.records.archives.member import (
    LINK_OR_DEVICE,
    OUTSIDE,
    TOO_SHORT,
    DamagedError,
    Member,
    UnreadableError,
    broken,
)
from datapipeline.records.archives.ranged import Ranged
from datapipeline.records.archives.tar_header import (
    BLOCK,
    SPARSE_NAME,
    Header,
    parse_header,
    pax_records,
    pax_size,
    text,
    whole_blocks,
)

LONGEST: Final = 16 << 20
"""Bytes of a header's extension: a name takes hundreds, a file's attributes may take megabytes."""

_PLAIN, _OLD_PLAIN, _CONTIGUOUS = b"0", b"\0", b"7"
_FOLDER, _DUMPED_FOLDER, _LABEL = b"5", b"D", b"V"
_LONG_NAME, _LONG_LINK, _SPARSE = b"L", b"K", b"S"
_PAX, _PAX_OF_SUN, _PAX_FOR_ALL = b"x", b"X", b"g"

_EXTENSIONS: Final = (_LONG_NAME, _LONG_LINK, _PAX, _PAX_OF_SUN, _PAX_FOR_ALL)
_LINKS_AND_DEVICES: Final = (b"1", b"2", b"3", b"4", b"6")
_WITHOUT_BYTES: Final = (*_LINKS_AND_DEVICES, _FOLDER)
"""A size that these state is of something else, as of the file that a link leads to."""


class _Said(NamedTuple):
    """What extensions say of the header that follows them."""

    name: str | None = None
    size: int | None = None
    sparse: bool = False


class TarArchive:
    """An open tar; see `Archive`."""

    def __init__(self, file: Ranged, uri: str) -> None:
        """Look at the first block.

        Raises:
            DamagedError: it begins no tar.
        """
        self._file, self._uri = file, uri
        self._header(0)

    def members(self) -> Iterator[Member]:
        """See `Archive.members`."""
        try:
            yield from self._members()
        except DamagedError as error:
            raise broken(self._uri, error) from error

    def read(self, member: Member) -> bytes:
        """See `Archive.read`."""
        if member.trouble is not None:
            raise UnreadableError(member.trouble)
        if member.offset + member.bytes > self._file.size:
            raise UnreadableError(OUTSIDE)
        data = self._file.read(member.offset, member.bytes)
        if len(data) < member.bytes:
            raise UnreadableError(TOO_SHORT)
        return data

    def close(self) -> None:
        """Close its file."""
        self._file.close()

    def _members(self) -> Iterator[Member]:
        at, said = 0, _Said()
        while (header := self._header(at)) is not None:
            at += BLOCK
            if header.kind in _EXTENSIONS:
                said = self._extended(said, header, at)
                at += whole_blocks(header.size)
                continue
            if header.kind == _SPARSE:
                at = self._after_map(header, at)
            member = _member(header, said, at)
            at += 0 if header.kind in _WITHOUT_BYTES else whole_blocks(member.packed)
            if at - whole_blocks(member.packed) + member.packed > self._file.size:
                raise DamagedError("it ends too soon")
            if not _is_folder(header.kind, member.name):
                yield member
            said = _Said()

    def _header(self, at: int) -> Header | None:
        """The header at an offset; None: the archive's end mark."""
        block = self._file.read(at, BLOCK)
        if len(block) < BLOCK:  # the end mark has at least one block
            raise DamagedError("it ends too soon")
        return parse_header(block) if any(block) else None

    def _extended(self, said: _Said, header: Header, at: int) -> _Said:
        if header.kind in (_LONG_LINK, _PAX_FOR_ALL):
            return said
        if header.size > LONGEST:
            raise DamagedError(f"a header of {header.size} bytes")
        data = self._file.read(at, header.size)
        if header.kind == _LONG_NAME:
            return said._replace(name=text(data))
        records = pax_records(data)
        name = records.get(SPARSE_NAME, records.get(b"path"))
        return _Said(
            said.name if name is None else name.decode(errors="surrogateescape"),
            pax_size(records),
            any(key.startswith(b"GNU.sparse") for key in records),
        )

    def _after_map(self, header: Header, at: int) -> int:
        """Where a sparse file's bytes begin, after its map's further blocks."""
        more = header.more
        while more:
            block = self._file.read(at, BLOCK)
            if len(block) < BLOCK:
                raise DamagedError("it ends too soon")
            at, more = at + BLOCK, block[504] != 0
        return at


def _member(header: Header, said: _Said, offset: int) -> Member:
    name = header.name if said.name is None else said.name
    size = header.size if said.size is None else said.size
    trouble = _trouble(header.kind, said)
    return Member(name, offset, size, size, zipfile.ZIP_STORED, None, trouble)


def _trouble(kind: bytes, said: _Said) -> str | None:
    if kind == _SPARSE or said.sparse:
        return "a sparse file"
    if kind in _LINKS_AND_DEVICES:
        return LINK_OR_DEVICE
    return None if kind in (_PLAIN, _OLD_PLAIN, _CONTIGUOUS) else f"a member of an unknown kind: {kind!r}"


def _is_folder(kind: bytes, name: str) -> bool:
    """Whether it isn't worth a word: a folder, or the archive's own label."""
    return kind in (_FOLDER, _DUMPED_FOLDER, _LABEL) or (kind == _OLD_PLAIN and name.endswith("/"))
