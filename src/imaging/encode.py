"""An RGB image to JPEG; the same pixels give the same bytes."""

import io
from typing import Final

from PIL import Image

FULL_COLOUR_UP_TO: Final = 64
"""Pixels of the shorter side up to which colour keeps its full resolution (4:4:4). Above, it is halved
(4:2:0), as cameras do; a 32-pixel image would be left with 16 pixels of colour."""


def encode_jpeg(image: Image.Image, quality: int) -> bytes:
    """Encode an RGB image as a baseline JPEG of a quality from 1 to 100."""
    if image.mode != "RGB":
        raise ValueError(f"expected an RGB image, got mode {image.mode}")
    subsampling = "4:4:4" if min(image.size) <= FULL_COLOUR_UP_TO else "4:2:0"
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    return buffer.getvalue()
