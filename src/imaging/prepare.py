"""Encoded bytes to a network's input: uint8 RGB [size, size, 3], 0…255, the same way wherever it is done."""

import numpy as np
from numpy.typing import NDArray

from contracts.bundle import ImageSpec
from imaging.decode import MAX_PIXELS, decode
from imaging.resize import resize


def prepare(data: bytes, spec: ImageSpec, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Decode, resize as the records were, and take the centre square.

    Args:
        data: the whole file, of any format that `decode` takes.
        spec: the sizes and the resize mode.
        max_pixels: an image with more is refused.

    Returns:
        uint8 [spec.size, spec.size, 3].

    Raises:
        ImageError: the bytes are no usable image.
    """
    record = resize(decode(data, max_pixels).pixels, spec.record_size, spec.resize)
    return centre_crop(record, spec.size)


def centre_crop(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Take the centre square: uint8 [height, width, 3] to [size, size, 3].

    An image whose shorter side is less than `size` gives its largest centre square, enlarged.
    """
    height, width = pixels.shape[:2]
    if min(height, width) < size:
        return resize(pixels, size, "crop")
    top, left = (height - size) // 2, (width - size) // 2
    return pixels[top : top + size, left : left + size]
