"""Write data/sources/digits.zip, byte for byte: scikit-learn's handwritten digits as PNGs in class folders.

`<digit>/<number>.png`, where the number counts each digit's images from 0000 in scikit-learn's order: 8x8
pixels, grey, 0…16 scaled to 0…255. Run it as `python tools/make_digits.py [TARGET]`.
"""

import struct
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

TARGET = Path(__file__).parents[1] / "data/sources/digits.zip"
DATE = (1998, 7, 1, 0, 0, 0)


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode grey pixels uint8 [h, w] without compression, so that no library's version changes a byte."""
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    checksum = struct.pack(">I", zlib.adler32(rows))
    stored = b"\x78\x01\x01" + struct.pack("<HH", len(rows), len(rows) ^ 0xFFFF) + rows + checksum
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", stored) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def members() -> list[tuple[str, bytes]]:
    """The archive's files, sorted by name."""
    digits = load_digits()
    pixels = np.round(digits.images * (255 / 16)).astype(np.uint8)
    files = []
    for digit in range(10):
        of_digit = pixels[digits.target == digit]
        files += [(f"{digit}/{number:04d}.png", png(image)) for number, image in enumerate(of_digit)]
    return files


def write(target: Path) -> None:
    """Write the archive: fixed dates, no compression, so that it is the same everywhere."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members():
            info = zipfile.ZipInfo(name, DATE)
            info.create_system, info.external_attr = 3, 0o644 << 16
            archive.writestr(info, data)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET)
