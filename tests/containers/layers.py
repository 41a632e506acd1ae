"""What images are made of: every file of every layer, and every document beside them."""

import tarfile
from collections.abc import Iterator
from typing import IO, Protocol

CHUNK = 16 << 20
OVERLAP = 1 << 12
"""So that what is looked for, which is shorter, is in some chunk as a whole."""


class Readable(Protocol):
    """A stream that only goes forward."""

    def read(self, size: int = -1, /) -> bytes: ...


class Peeked:
    """A stream of which `head` was read already."""

    def __init__(self, head: bytes, rest: Readable) -> None:
        self._head, self._rest = head, rest

    def read(self, size: int = -1, /) -> bytes:
        given, self._head = (self._head, b"") if size < 0 else (self._head[:size], self._head[size:])
        return given + self._rest.read(size - len(given) if size >= 0 else -1)


def chunks(file: Readable) -> Iterator[bytes]:
    """A file in parts that overlap."""
    tail = b""
    while part := file.read(CHUNK):
        yield tail + part
        tail = part[-OVERLAP:]


def files(saved: IO[bytes]) -> Iterator[tuple[str, Readable]]:
    """The files of images, by name, in what `docker image save` writes; a shared layer comes once."""
    for name, blob in _members(saved):
        head = blob.read(512)
        if head[257:262] == b"ustar" or head[:2] == b"\x1f\x8b":
            yield from _members(Peeked(head, blob))
        else:
            yield name, Peeked(head, blob)


def _members(stream: Readable) -> Iterator[tuple[str, Readable]]:
    with tarfile.open(fileobj=stream, mode="r|*") as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            if file is not None:
                yield member.name, file
