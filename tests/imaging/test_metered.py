"""Files that would keep a parser busy for seconds to hours."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from imaging import ImageError, decode

SIZE = 4 << 20


def encoded(kind):
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(buffer, kind)
    return buffer.getvalue()


def chunk(name, data=b""):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


COMMENTS = b"!\xfe" + (b"\xff" + b"a" * 255) * (4 * SIZE // 256)
PNG, GIF = encoded("PNG"), encoded("GIF")
END = PNG.index(b"IEND") - 4


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8" + b"\xff\xfe\x00\x02" * (SIZE // 4),
        b"\xff\xd8" + b"\xff" * SIZE,
        PNG[:33] + chunk(b"tEXt", b"k\0") * (SIZE // 14) + PNG[33:],
        PNG[:END] + chunk(b"IDAT") * (SIZE // 12) + PNG[END:],
        GIF[:13] + COMMENTS,
        GIF[:-1] + COMMENTS,
        b"P6 " + b"#\n" * (SIZE // 2),
    ],
    ids=[
        "JPEG markers",
        "JPEG filling",
        "PNG texts",
        "PNG parts",
        "GIF comments",
        "GIF comments behind",
        "PPM",
    ],
)
def test_a_file_of_many_parts_is_refused_soon(data):
    with pytest.raises(ImageError, match="too many parts"):
        decode(data)
