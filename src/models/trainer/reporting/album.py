"""The pictures of a page: images of the records, and heat maps over them, as small data URIs."""

import io
from collections.abc import Collection, Mapping, Sequence

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image

import imaging
from contracts.bundle import ImageSpec
from contracts.dataset import Split
from models.trainer.examples import read_examples
from models.trainer.reporting.rendering import data_uri

LARGEST = 224
"""Pixels of a picture's longer side, at most."""
LEAST = 128
"""Pixels of those that are shown small."""
SMALL = 100
"""Pixels; pictures below it are enlarged without smoothing, so that one sees what there is."""

_QUALITY = 80
_HEATED = 160
"""Pixels that a heat map over a small image has at least: it is smooth where the image is coarse."""


class Album:
    """Some images of a data set, by split and file name."""

    def __init__(self, encoded: Mapping[tuple[Split, str], bytes], image: ImageSpec) -> None:
        self._encoded, self._image = encoded, image

    @classmethod
    def read(
        cls, shards: Mapping[Split, Sequence[str]], wanted: Mapping[Split, Collection[str]], image: ImageSpec
    ) -> "Album":
        """Take the wanted file names out of each split's shards (local paths), as far as there are any."""
        return cls(
            {
                (split, example.filename): example.encoded
                for split, names in wanted.items()
                if names and split in shards
                for example in read_examples(shards[split])
                if example.filename in names
            },
            image,
        )

    def pixels(self, split: Split, filename: str) -> NDArray[np.uint8]:
        """An image as the network is given it, uint8 RGB [size, size, 3]."""
        return imaging.prepare(self._encoded[split, filename], self._image)

    def seen(self, split: Split, filename: str, largest: int = LARGEST) -> str:
        """That as a data URI, of so many pixels a side at most."""
        return _picture(Image.fromarray(self.pixels(split, filename)), largest)

    def whole(self, split: Split, filename: str) -> str | None:
        """An image as it is stored, uncropped, as a data URI; None: it isn't here."""
        encoded = self._encoded.get((split, filename))
        return None if encoded is None else _picture(Image.open(io.BytesIO(encoded)))


def heated(pixels: NDArray[np.uint8], heat: NDArray[np.float32]) -> str:
    """A heat map over its image, in grey, as a data URI.

    Args:
        pixels: uint8 [size, size, 3].
        heat: float32 [size, size], 0…1; 0 leaves the image as it is.
    """
    size = len(pixels)
    side = min(LARGEST, max(size, -(-_HEATED // size) * size))
    way = Image.Resampling.NEAREST if size < SMALL else Image.Resampling.BILINEAR
    grey = np.asarray(Image.fromarray(pixels).convert("L").resize((side, side), way), np.float32)[..., None]
    warmth = np.asarray(Image.fromarray(heat).resize((side, side), Image.Resampling.BICUBIC)).clip(0, 1)
    colours = mpl.colormaps["autumn_r"](warmth)[..., :3] * 255
    share = 0.6 * warmth[..., None]
    return _jpeg(Image.fromarray((grey * (1 - share) + colours * share).round().astype(np.uint8)))


def _picture(image: Image.Image, largest: int = LARGEST) -> str:
    if max(image.size) < SMALL:
        return _png(image)
    image.thumbnail((largest, largest))
    return _jpeg(image)


def _png(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return data_uri("image/png", buffer.getvalue())


def _jpeg(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return data_uri("image/jpeg", buffer.getvalue())
