"""Small files that would take gigabytes or minutes."""

import io
import struct
import zlib

import pytest
from PIL import Image

from imaging import STRANGERS_FORMATS, ImageError, decode


def encoded(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 40), (200, 10, 10)).save(buffer, kind, **options)
    return buffer.getvalue()


def directory(tags: list[tuple[int, int, int, int]], size: int) -> bytes:
    entries = b"".join(struct.pack("<HHLL", *tag) for tag in tags)
    start = b"II*\0" + struct.pack("<LH", 8, len(tags))
    return (start + entries + bytes(4)).ljust(size, b"\0")


SAME_BLOCK = [(1000 + entry, 7, 40_000, 16) for entry in range(2000)]
EXIF = directory(SAME_BLOCK, 60_000)
SHAPE = [(256, 3, 1, 8), (257, 3, 1, 8), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (277, 3, 1, 1)]
STRIP = [*SHAPE, (273, 4, 1, 8), (278, 3, 1, 8), (279, 4, 1, 64)]
TILE = [*SHAPE, (322, 4, 1, 24_000), (323, 4, 1, 24_000), (324, 4, 1, 8), (325, 4, 1, 64)]
TWO_TILES = [*TILE, (322, 4, 1, 16), (323, 4, 1, 16)]


def jpeg(*blocks: bytes) -> bytes:
    segments = b"".join(b"\xff\xe1" + struct.pack(">H", len(b) + 8) + b"Exif\0\0" + b for b in blocks)
    return b"\xff\xd8" + segments + encoded("JPEG")[2:]


def png_text(exif: bytes) -> bytes:
    text = b"Raw profile type exif\0\nexif\n8\n" + exif.hex().encode()
    chunk = struct.pack(">L", len(text)) + b"tEXt" + text + struct.pack(">L", zlib.crc32(b"tEXt" + text))
    whole = encoded("PNG")
    return whole[:33] + chunk + whole[33:]


def scans(count: int) -> bytes:
    whole = encoded("JPEG", progressive=True)
    at = whole.rindex(b"\xff\xda")
    return whole[:at] + whole[at:-2] * count + whole[-2:]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (jpeg(EXIF), "too many parts"),
        (jpeg(EXIF[:30_000], EXIF[30_000:]), "too many parts"),
        (b"\xff\xd8\xff\xfe\x00\x0c\xff\xe1\x00\x08Exif\0\0" + jpeg(EXIF)[2:], "too many parts"),
        (encoded("PNG", exif=EXIF), "too many parts"),
        (png_text(EXIF), "too many parts"),
        (encoded("WEBP", exif=EXIF), "too many parts"),
        (
            directory([*STRIP, *((40_000 + n, 7, 2_000_000, 16) for n in range(9))], 2_100_000),
            "too many parts",
        ),
        (directory(TILE, 2000), "tiles of 24000x24000"),
        (directory(TWO_TILES, 2000), "too many parts"),
        (scans(200), "too many scans"),
    ],
    ids=["JPEG", "in parts", "decoy", "PNG", "PNG text", "WebP", "TIFF", "tile", "two tiles", "scans"],
)
def test_a_bomb_is_refused_before_it_is_decoded(data: bytes, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        decode(data)


def test_what_follows_a_photo_is_no_scan_of_it() -> None:
    photo = encoded("JPEG")
    assert decode(photo + b"\xff\xda\x00\x02" * 500).image.tobytes() == decode(photo).image.tobytes()


def test_an_avif_is_for_known_senders() -> None:
    with pytest.raises(ImageError, match="a format that isn't read: AVIF"):
        decode(encoded("AVIF"), formats=STRANGERS_FORMATS)
