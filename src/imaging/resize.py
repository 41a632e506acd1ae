"""Resizing: RGB images in and out, antialiased.

A bilinear filter: a triangle as wide as the scale, which is what Pillow's and
`tf.image.resize(…, antialias=True)` compute too, so that a TensorFlow graph can follow within a rounding.
"""

from typing import Final

from cykooz_resizer import CropBox, FilterType, ResizeAlg, ResizeOptions, Resizer
from PIL import Image

from contracts.dataset import ResizeMode

MAX_ASPECT: Final = 8
"""Of the longer side over the shorter in `shorter-side`: the rest is cut, lest a line become a gigapixel."""

Box = tuple[int, int, int, int]
"""Left, top, width and height."""


def resize(image: Image.Image, size: int, mode: ResizeMode) -> Image.Image:
    """Resize an RGB image; one that already has the size comes back as it is.

    Args:
        image: RGB.
        size: pixels.
        mode: `shorter-side`: the shorter side becomes `size`, the longer follows (see `MAX_ASPECT`);
            `crop`: the centre square; `pad`: the whole image, centred on black, a square; `stretch`: the
            whole image as a square, its sides' ratio lost.

    Returns:
        An RGB image whose shorter side is `size`, and the longer too but in `shorter-side`.
    """
    width, height = image.size
    match mode:
        case "shorter-side":
            longest = min(width, height) * MAX_ASPECT
            box = _centre(width, height, min(width, longest), min(height, longest))
            return _scale(image, box, *_shorter_side(box, size))
        case "crop":
            side = min(width, height)
            return _scale(image, _centre(width, height, side, side), size, size)
        case "stretch":
            return _scale(image, (0, 0, width, height), size, size)
        case "pad":
            return _pad(image, size)


def is_resized(width: int, height: int, size: int, mode: ResizeMode) -> bool:
    """Whether `resize` would give an image of width x height pixels back as it is."""
    longest = size * MAX_ASPECT if mode == "shorter-side" else size
    return min(width, height) == size and max(width, height) <= longest


def _centre(width: int, height: int, inner_width: int, inner_height: int) -> Box:
    return (width - inner_width) // 2, (height - inner_height) // 2, inner_width, inner_height


def _shorter_side(box: Box, size: int) -> tuple[int, int]:
    _, _, width, height = box
    scale = size / min(width, height)
    return max(size, round(width * scale)), max(size, round(height * scale))


def _pad(image: Image.Image, size: int) -> Image.Image:
    width, height = image.size
    scale = size / max(width, height)
    inner_width, inner_height = max(1, round(width * scale)), max(1, round(height * scale))
    inner = _scale(image, (0, 0, width, height), inner_width, inner_height)
    if inner.size == (size, size):
        return inner
    padded = Image.new("RGB", (size, size))
    padded.paste(inner, ((size - inner_width) // 2, (size - inner_height) // 2))
    return padded


def _scale(image: Image.Image, box: Box, width: int, height: int) -> Image.Image:
    left, top, inner_width, inner_height = box
    if (inner_width, inner_height) == (width, height):
        whole = box == (0, 0, *image.size)
        return image if whole else image.crop((left, top, left + inner_width, top + inner_height))
    # Vector instructions, where Pillow's own loop has none: four times as fast, and to within a rounding.
    options = ResizeOptions(resize_alg=ResizeAlg.convolution(FilterType.bilinear), crop_box=CropBox(*box))
    scaled = Image.new("RGB", (width, height))
    Resizer().resize_pil(image, scaled, options)
    return scaled
