"""Copies of an image that differ a little, for classes with too few of them: made once, into the records.

A copy is cropped, turned by a few degrees, and changed in brightness, contrast and saturation. It isn't
mirrored: of digits or letters that would make others; the trainer mirrors where it is told to.
"""

import hashlib
from collections.abc import Iterator
from typing import Final

from PIL import Image, ImageEnhance

_LEAST_SIDE: Final = 0.8
"""Of a crop's side to the image's."""
_DEGREES: Final = 8.0
_STRENGTH: Final = 0.25
_ENHANCERS: Final = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)


def augmented(image: Image.Image, name: str) -> Image.Image:
    """Make the copy of an RGB image that belongs to `name`: another name, another copy."""
    draws = _draws(name)
    image = _cropped(_turned(image, _DEGREES * (2 * next(draws) - 1)), draws)
    for enhancer in _ENHANCERS:
        image = enhancer(image).enhance(1 + _STRENGTH * (2 * next(draws) - 1))
    return image


def _turned(image: Image.Image, degrees: float) -> Image.Image:
    # What comes in at the corners has the image's mean colour: black ones could be learnt.
    mean = image.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    return image.rotate(degrees, Image.Resampling.BILINEAR, fillcolor=mean)


def _cropped(image: Image.Image, draws: Iterator[float]) -> Image.Image:
    side = _LEAST_SIDE + (1 - _LEAST_SIDE) * next(draws)
    width, height = (max(1, round(length * side)) for length in image.size)
    left, top = round((image.width - width) * next(draws)), round((image.height - height) * next(draws))
    return image.crop((left, top, left + width, top + height))


def _draws(name: str) -> Iterator[float]:
    """Numbers in [0, 1): from hashes, since Python's generators may change what they give for a seed."""
    number = 0
    while True:
        digest = hashlib.sha256(f"{name}:{number}".encode()).digest()
        yield int.from_bytes(digest[:6]) / 2**48
        number += 1
