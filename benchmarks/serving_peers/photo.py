"""Encoded photo to a network's input, as one writes it with Pillow: shorter side 256, the centre of 224."""

from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

CLASSES = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
RECORD, SIZE = 256, 224


def prepare(file: IO[bytes]) -> NDArray[np.uint8]:
    """Give uint8 RGB [1, 224, 224, 3]."""
    return crop(Image.open(file))


def crop(image: Image.Image) -> NDArray[np.uint8]:
    """The same of an image that is open already."""
    image = image.convert("RGB")
    scale = RECORD / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BILINEAR)
    left, top = (image.width - SIZE) // 2, (image.height - SIZE) // 2
    return np.asarray(image.crop((left, top, left + SIZE, top + SIZE)))[np.newaxis]
