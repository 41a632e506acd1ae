"""Small files that would take gigabytes or minutes: told by their headers, before a decoder sees them.

Pillow copies what each entry of a TIFF directory (EXIF is one) points at, and thousands may point at the same
block. A progressive JPEG may repeat its scans without end. A TIFF's tile may be larger than its image.
"""

import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from PIL import Image, JpegImagePlugin

from imaging.metered import MAX_READS, EndlessError

MAX_SCANS: Final = 100
"""Of a JPEG; encoders write about ten."""

MAX_ENTRIES: Final = 10_000
"""Of a directory; photos have some dozens."""

MAX_BLOCK: Final = 4 * 1024 * 1024
"""Bytes that the entries of a directory may hold together, or as many as a TIFF has itself."""

MAX_TILE: Final = 4 * 1024 * 1024
"""Pixels of a TIFF's tile, or as many as the image has."""

_TIFF: Final = (b"II*\0", b"MM\0*", b"MM*\0", b"II\0*", b"II+\0", b"MM\0+")
_TIFF_HEADER: Final = re.compile(b"|".join(map(re.escape, _TIFF)))
_UNIT: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
"""Bytes of a value, by its type."""
_SHAPING: Final = (256, 257, 258, 277, 322, 323)
"""Tags of sizes. Where one is there twice, Pillow takes the last and libtiff the first."""
_TILE_WIDTH: Final = 322
_TILE_HEIGHT: Final = 323
_MAX_HEADERS: Final = 16
_SCAN: Final = 0xDA
_END: Final = 0xD9
_FRAMES: Final = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
_SEQUENTIAL: Final = (0xC0, 0xC1, 0xC9)
"""Frames of which libjpeg reads no further than a first scan with all components."""
_ANY_MARKER: Final = re.compile(rb"\xff[^\xff]", re.DOTALL)
_MARKER: Final = re.compile(rb"\xff[^\xff\x00\x01\xd0-\xd7]", re.DOTALL)
"""Between scans, where a 0 after 255 means 255."""


def require_bounded(data: bytes) -> None:
    """Look at a whole file before Pillow opens it.

    Raises:
        EndlessError: it has too many parts.
    """
    if data.startswith(b"\xff\xd8\xff"):
        _require_bounded_jpeg(data)
    elif data.startswith(_TIFF):
        require_bounded_directory(data, max(len(data), MAX_BLOCK))
    elif data[4:8] == b"ftyp":  # AVIF, whose EXIF may lie anywhere, and is parsed as it is opened
        headers = [found.start() for found in _TIFF_HEADER.finditer(data)]
        if len(headers) > _MAX_HEADERS:
            raise EndlessError("too many parts")
        for at in headers:
            require_bounded_directory(data[at:])


def require_bounded_exif(image: Image.Image) -> None:
    """Look at the EXIF block of an open PNG, WebP, … before Pillow parses it.

    Raises:
        EndlessError: it has too many parts.
    """
    exif = image.info.get("exif")
    if exif is None and isinstance(text := image.info.get("Raw profile type exif"), str):
        with suppress(ValueError):  # which Pillow can't read either
            exif = bytes.fromhex("".join(text.split("\n")[3:]))
    if isinstance(exif, bytes):
        _require_bounded_block(exif)


def require_bounded_tiles(image: Image.Image) -> None:
    """Look at the tiles of an open TIFF before it is decoded.

    Raises:
        EndlessError: they are far larger than the image.
    """
    tags = getattr(image, "tag_v2", None)
    if tags is None or _TILE_WIDTH not in tags:
        return
    width, height = tags[_TILE_WIDTH], tags.get(_TILE_HEIGHT)
    if not (isinstance(width, int) and isinstance(height, int)):
        raise EndlessError("tiles without a size")
    if width * height > max(image.width * image.height, MAX_TILE):
        raise EndlessError(f"tiles of {width}x{height} pixels")


def require_bounded_directory(block: bytes, most: int = MAX_BLOCK) -> None:
    """Look at the first directory of a TIFF file or of an EXIF block.

    Raises:
        EndlessError: its entries hold more than `most` bytes together, are too many, or contradict.
    """
    try:
        held, tags = 0, set()
        for tag, size in _entries(block):
            held += size
            if held > most or (tag in tags and tag in _SHAPING):
                raise EndlessError("too many parts")
            tags.add(tag)
    except struct.error:  # cut off: Pillow says so
        return


def _entries(block: bytes) -> Iterator[tuple[int, int]]:
    """Each entry's tag, and how many bytes it would have copied."""
    order = ">" if block.startswith(b"M") else "<"
    big = block[2:4] in (b"+\0", b"\0+")
    entry, number, value = ("HHQQ", "Q", "Q") if big else ("HHLL", "H", "L")
    (start,) = struct.unpack_from(order + value, block, 8 if big else 4)
    if start > len(block):
        return
    (count,) = struct.unpack_from(order + number, block, start)
    at, step = start + struct.calcsize(order + number), struct.calcsize(order + entry)
    if min(count, (len(block) - at) // step) > MAX_ENTRIES:  # of a broken one, what there is of them
        raise EndlessError("too many parts")
    for index in range(count):
        tag, kind, values, place = struct.unpack_from(order + entry, block, at + index * step)
        size = values * _UNIT.get(kind, 8)
        yield tag, min(size, max(len(block) - place, 0)) if size > struct.calcsize(order + value) else size


def _require_bounded_jpeg(data: bytes) -> None:
    exif, frame, scans = b"", 0, 0
    components = 0
    for marker, content in _segments(data):
        if marker == _SCAN:
            scans += 1
            whole = frame in _SEQUENTIAL and content[:1] >= bytes([components])
            if scans > MAX_SCANS:
                raise EndlessError("too many scans")
            if scans == 1 and (whole or data.count(b"\xff\xda") <= MAX_SCANS):
                break
        elif marker in _FRAMES:
            frame, components = marker, int.from_bytes(content[5:6])
        elif not scans and marker == 0xE1 and content.startswith(b"Exif\0\0"):
            exif += content[6:] if exif else content
        elif not scans and marker == 0xE2 and content.startswith(b"MPF\0"):
            require_bounded_directory(content[4:])
    _require_bounded_block(exif)


def _require_bounded_block(exif: bytes) -> None:
    while exif.startswith(b"Exif\0\0"):
        exif = exif[6:]
    require_bounded_directory(exif)


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """A JPEG's markers and what they hold, as Pillow finds them until the first scan, and libjpeg then."""
    at, scanned = 2, False
    for _ in range(MAX_READS):
        found = _MARKER.search(data, at) if scanned else _ANY_MARKER.search(data, at)
        if found is None:
            return
        at, marker = found.start(), data[found.start() + 1]
        if JpegImagePlugin.MARKER.get(0xFF00 + marker, ("", "", None))[2] is None and marker != _SCAN:
            if scanned and marker == _END:
                return
            at += 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4])
        yield marker, data[at + 4 : at + 2 + length]
        at += max(4, 2 + length)
        scanned |= marker == _SCAN
    raise EndlessError("too many parts")
