"""Encoded bytes to a network's input: uint8 RGB [size, size, 3], 0…255, the same way wherever it is done."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contracts.bundle import ImageSpec
from imaging.decode import FORMATS, MAX_PIXELS, decode
from imaging.resize import resize


def prepare(
    data: bytes, spec: ImageSpec, max_pixels: int = MAX_PIXELS, formats: tuple[str, ...] = FORMATS
) -> NDArray[np.uint8]:
    """Decode, resize as the records were, and take the centre square.

    Args:
        data: the whole file, of any format that `decode` takes.
        spec: the sizes and the resize mode.
        max_pixels: an image with more is refused.
        formats: see `decode`.

    Returns:
        uint8 [spec.size, spec.size, 3].

    Raises:
        ImageError: the bytes are no usable image.
    """
    record = resize(decode(data, max_pixels, formats).image, spec.record_size, spec.resize)
    return np.asarray(centre_crop(record, spec.size))


def centre_crop(image: Image.Image, size: int) -> Image.Image:
    """Take the centre square of an RGB image.

    An image whose shorter side is less than `size` gives its largest centre square, enlarged.
    """
    width, height = image.size
    if min(width, height) < size:
        return resize(image, size, "crop")
    left, top = (width - size) // 2, (height - size) // 2
    return image.crop((left, top, left + size, top + size))
