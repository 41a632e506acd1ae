"""Resizing: uint8 RGB [height, width, 3] in and out, antialiased.

Pillow's bilinear filter: a triangle as wide as the scale, which is what `tf.image.resize(…, antialias=True)`
computes too, so that a TensorFlow graph can follow within a rounding.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contracts.dataset import ResizeMode

MAX_ASPECT: Final = 8
"""Of the longer side over the shorter in `shorter-side`: the rest is cut, lest a line become a gigapixel."""

Box = tuple[int, int, int, int]


def resize(pixels: NDArray[np.uint8], size: int, mode: ResizeMode) -> NDArray[np.uint8]:
    """Resize an image; one that already has the size comes back as it is.

    Args:
        pixels: uint8 [height, width, 3].
        size: pixels.
        mode: `shorter-side`: the shorter side becomes `size`, the longer follows (see `MAX_ASPECT`);
            `crop`: the centre square, [size, size, 3]; `pad`: the whole image, centred on black,
            [size, size, 3]; `stretch`: the whole image, its sides' ratio lost, [size, size, 3].

    Returns:
        uint8 [height, width, 3] with min(height, width) == size, and both equal to it but in `shorter-side`.
    """
    height, width = pixels.shape[:2]
    match mode:
        case "shorter-side":
            longest = min(height, width) * MAX_ASPECT
            box = _centre(width, height, min(width, longest), min(height, longest))
            return _scale(pixels, box, *_shorter_side(box, size))
        case "crop":
            side = min(width, height)
            return _scale(pixels, _centre(width, height, side, side), size, size)
        case "stretch":
            return _scale(pixels, (0, 0, width, height), size, size)
        case "pad":
            return _pad(pixels, size)


def _centre(width: int, height: int, inner_width: int, inner_height: int) -> Box:
    left, top = (width - inner_width) // 2, (height - inner_height) // 2
    return left, top, left + inner_width, top + inner_height


def _shorter_side(box: Box, size: int) -> tuple[int, int]:
    width, height = box[2] - box[0], box[3] - box[1]
    scale = size / min(width, height)
    return max(size, round(width * scale)), max(size, round(height * scale))


def _pad(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    scale = size / max(height, width)
    inner_width, inner_height = max(1, round(width * scale)), max(1, round(height * scale))
    inner = _scale(pixels, (0, 0, width, height), inner_width, inner_height)
    if inner.shape[:2] == (size, size):
        return inner
    padded = np.zeros((size, size, 3), np.uint8)
    left, top = (size - inner_width) // 2, (size - inner_height) // 2
    padded[top : top + inner_height, left : left + inner_width] = inner
    return padded


def _scale(pixels: NDArray[np.uint8], box: Box, width: int, height: int) -> NDArray[np.uint8]:
    left, top, right, bottom = box
    if (right - left, bottom - top) == (width, height):
        return pixels[top:bottom, left:right]
    # One call with a box: cropping first would copy the pixels once more.
    image = Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR, box=box)
    return np.asarray(image)
