"""How an image looks, in a few numbers: to find others that look the same, and those that look wrong."""

from typing import Final, NamedTuple

import imagehash
import numpy as np
import scipy.fftpack  # noqa: F401 (imagehash imports it at its first use: in every process anew, but for this)
from PIL import Image

THUMBNAIL: Final = 16
"""Pixels of a thumbnail's side."""

_SIDE: Final = 128
"""Pixels of the shorter side that is looked at: the rest is detail, and time."""


class Appearance(NamedTuple):
    """Numbers of one image."""

    hash: int
    """Perceptual hash of 64 bits, signed: images that look alike differ in a few bits."""
    thumbnail: bytes
    """uint8 RGB [16, 16, 3], the sides' ratio lost."""
    brightness: float
    """Mean grey, from 0 to 255."""
    sharpness: float
    """Variance of the Laplacian of the greys: low for a blurred image, 0 for an empty one."""


def look(image: Image.Image) -> Appearance:
    """Measure an RGB image."""
    image = image.reduce(max(1, min(image.size) // _SIDE))
    grey = image.convert("L")
    bits = np.packbits(imagehash.phash(grey).hash).tobytes()
    pixels = np.asarray(grey, np.int16)
    thumbnail = image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR)
    return Appearance(
        int.from_bytes(bits, signed=True), thumbnail.tobytes(), float(pixels.mean()), _sharpness(pixels)
    )


def _sharpness(grey: np.ndarray[tuple[int, ...], np.dtype[np.int16]]) -> float:
    if min(grey.shape) < 3:
        return 0.0
    sides = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float(np.var(4 * grey[1:-1, 1:-1] - sides))
