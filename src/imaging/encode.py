"""Pixels to JPEG: uint8 RGB [height, width, 3] in, bytes out; the same pixels give the same bytes."""

import io
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FULL_COLOUR_UP_TO: Final = 64
"""Pixels of the shorter side up to which colour keeps its full resolution (4:4:4). Above, it is halved
(4:2:0), as cameras do; a 32-pixel image would be left with 16 pixels of colour."""


def encode_jpeg(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """Encode an image as a baseline JPEG.

    Args:
        pixels: uint8 [height, width, 3], RGB.
        quality: 1 to 100.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"expected uint8 [height, width, 3], got {pixels.dtype} {list(pixels.shape)}")
    subsampling = "4:4:4" if min(pixels.shape[:2]) <= FULL_COLOUR_UP_TO else "4:2:0"
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    return buffer.getvalue()
