"""Broken images, made from whole ones by numbered chance: the same number gives the same bytes.

Seeds of every format that the server reads, in their less usual kinds too, are flipped, cut, spliced and
given other numbers in their headers. PNGs get right checksums afterwards: nearly all would end at the first.
"""

import io
import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from PIL import Image

SIZES: Final = ((64, 48), (33, 97))
NUMBERS: Final = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""What lengths, sizes and offsets are replaced by: where signs and widths end."""
HEADER: Final = 160
"""Bytes at a file's begin in which most of its fields are."""
_PNG: Final = b"\x89PNG\r\n\x1a\n"

KINDS: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    ("JPEG", "RGB", {"quality": 85}),
    ("JPEG", "L", {"progressive": True}),
    ("JPEG", "CMYK", {"subsampling": 2}),
    ("JPEG", "RGB", {"exif": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"}),
    ("PNG", "RGB", {}),
    ("PNG", "RGBA", {"optimize": True}),
    ("PNG", "P", {"transparency": 3}),
    ("PNG", "1", {}),
    ("PNG", "I;16", {}),
    ("WEBP", "RGB", {"quality": 70}),
    ("WEBP", "RGBA", {"lossless": True}),
    ("WEBP", "RGB", {"save_all": True}),
    ("GIF", "P", {}),
    ("GIF", "P", {"save_all": True}),
    ("TIFF", "RGB", {}),
    ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    ("TIFF", "RGB", {"compression": "jpeg"}),
    ("TIFF", "RGB", {"compression": "tiff_adobe_deflate"}),
    ("TIFF", "1", {"compression": "group4"}),
    ("TIFF", "F", {}),
    ("TIFF", "I;16", {"compression": "packbits"}),
    ("BMP", "RGB", {}),
    ("BMP", "P", {}),
    ("BMP", "1", {}),
    ("PPM", "RGB", {}),
    ("PPM", "L", {}),
    ("PPM", "1", {}),
    ("AVIF", "RGB", {"quality": 60, "speed": 10}),
    ("AVIF", "RGBA", {"quality": 60, "speed": 10, "save_all": True}),
)
"""Format, mode and options of the seeds; with `save_all` an animation."""

Draw = random.Random
Mutation = Callable[[bytearray, Draw], bytearray]


@dataclass(frozen=True)
class Case:
    """One image to send."""

    number: int
    format: str
    mutations: tuple[str, ...]
    """None: a whole image."""
    data: bytes


def make_case(number: int) -> Case:
    """Make the case of a number: a seed with up to three mutations, one in forty with none."""
    draw = random.Random(number)  # noqa: S311 - to be made again, not to be a secret
    kind, seed = draw.choice(seeds())
    names = tuple(draw.choices(list(MUTATIONS), k=draw.choice((1, 1, 2, 3)))) if draw.random() > 0.025 else ()
    data = bytearray(seed)
    for name in names:
        data = MUTATIONS[name](data, draw)
    if names and draw.random() < 0.8:
        data = _right_checksums(data)
    return Case(number, kind, names, bytes(data))


@cache
def seeds() -> tuple[tuple[str, bytes], ...]:
    """Every kind in every size, as (format, encoded)."""
    return tuple((kind[0], _encode(size, *kind)) for kind in KINDS for size in SIZES)


def _encode(size: tuple[int, int], kind: str, mode: str, options: dict[str, Any]) -> bytes:
    generator = np.random.default_rng(sum(size))
    pixels = generator.integers(0, 256, (3, size[1] // 8 + 1, size[0] // 8 + 1, 3), np.uint8)
    frames = [Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC) for frame in pixels]
    frames = [_convert(frame, mode) for frame in frames]
    buffer = io.BytesIO()
    more = {"append_images": frames[1:]} if options.get("save_all") else {}
    frames[0].save(buffer, kind, **options, **more)
    return buffer.getvalue()


def _convert(image: Image.Image, mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 257)
    return image.convert(mode)


def _flip(data: bytearray, draw: Draw) -> bytearray:
    for _ in range(draw.choice((1, 2, 8, 64))):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return data


def _cut(data: bytearray, draw: Draw) -> bytearray:
    return data[: draw.randrange(1, len(data) + 1)]


def _splice(data: bytearray, draw: Draw) -> bytearray:
    """The begin of this image and the end of another one."""
    _, other = draw.choice(seeds())
    return data[: draw.randrange(1, len(data) + 1)] + other[draw.randrange(len(other)) :]


def _field(data: bytearray, draw: Draw) -> bytearray:
    """Other numbers in the header."""
    for _ in range(draw.choice((1, 1, 2, 4))):
        width, order = draw.choice((1, 2, 4)), draw.choice(("big", "little"))
        place = draw.randrange(min(HEADER, len(data)))
        number = draw.choice(NUMBERS) & (256**width - 1)
        data[place : place + width] = number.to_bytes(width, "big" if order == "big" else "little")
    return data


def _drop(data: bytearray, draw: Draw) -> bytearray:
    start = draw.randrange(len(data))
    del data[start : start + draw.choice((1, 4, 64))]
    return data or bytearray(1)


def _repeat(data: bytearray, draw: Draw) -> bytearray:
    """A part twice or more often, which lengths and counts don't know of."""
    start, length = draw.randrange(len(data)), draw.choice((1, 16, 256))
    part = data[start : start + length]
    return data[:start] + part * draw.choice((2, 3, 200)) + data[start + length :]


def _noise(data: bytearray, draw: Draw) -> bytearray:
    start = draw.randrange(len(data))
    length = min(draw.choice((4, 32, 512)), len(data) - start)
    data[start : start + length] = draw.randbytes(length)
    return data


MUTATIONS: Final[dict[str, Mutation]] = {
    "bits flipped": _flip,
    "cut": _cut,
    "spliced": _splice,
    "header fields": _field,
    "bytes dropped": _drop,
    "bytes repeated": _repeat,
    "noise": _noise,
}


def _right_checksums(data: bytearray) -> bytearray:
    """Give each chunk of a PNG its checksum, as far as its chunks can be followed."""
    if not data.startswith(_PNG):
        return data
    place = len(_PNG)
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        end = place + 8 + length
        if end + 4 > len(data):
            break
        struct.pack_into(">I", data, end, zlib.crc32(data[place + 4 : end]))
        place = end + 4
    return data
