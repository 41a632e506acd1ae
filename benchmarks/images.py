"""Images to measure with: from zips that the caller has, else made up; the same ones every time.

Everything is yielded as (name with its class folder, encoded bytes).
"""

import io
import random
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
from PIL import Image

Named = tuple[str, bytes]

PHOTO_SIZE: Final = (500, 375)
SMALL_SIZE: Final = (32, 32)
MADE_UP: Final = {PHOTO_SIZE: 80, SMALL_SIZE: 1200}
"""How many different images are made up of a size."""
TURNS: Final = (None, *Image.Transpose)


def photos(archive: Path | None) -> list[Named]:
    """Photographs of about 500x375 pixels and 110 KB."""
    return _mixed(from_zip(archive) if archive else made_up(PHOTO_SIZE, 4))


def small(archive: Path | None) -> list[Named]:
    """Images of 32x32 pixels."""
    return _mixed(from_zip(archive) if archive else made_up(SMALL_SIZE, 10))


def _mixed(images: Iterable[Named]) -> list[Named]:
    """In an order in which any part of them has of every class."""
    mixed = sorted(images)
    random.Random(0).shuffle(mixed)  # noqa: S311 - for an even mix, not for secrets
    return mixed


def from_zip(archive: Path) -> Iterator[Named]:
    """The images of a zip, in their class folders."""
    with zipfile.ZipFile(archive) as opened:
        for name in opened.namelist():
            if name.lower().endswith((".jpg", ".jpeg")):
                path = PurePosixPath(name)
                yield f"{path.parent.name}/{path.name}", opened.read(name)


def made_up(size: tuple[int, int], classes: int) -> Iterator[Named]:
    """Clouds with grain: as many bytes a pixel as a photograph has, and about as slow to decode."""
    generator = np.random.default_rng(0)
    for number in range(MADE_UP[size]):
        pixels = np.zeros((size[1], size[0], 3), np.float32)
        for octave in range(2, 7):
            coarse = generator.uniform(-1, 1, (2**octave, 2**octave, 3)) * 2.0**-octave
            channels = [
                Image.fromarray(coarse[..., channel].astype(np.float32)).resize(
                    size, Image.Resampling.BICUBIC
                )
                for channel in range(3)
            ]
            pixels += np.stack([np.asarray(channel) for channel in channels], axis=-1)
        grain = generator.normal(0, 16, (*pixels.shape[:2], 1))
        image = Image.fromarray(np.clip(128 + 300 * pixels + grain, 0, 255).astype(np.uint8))
        yield f"{number % classes}/{number:04d}.jpg", jpeg(image)


def repeated(images: list[Named], count: int) -> Iterator[Named]:
    """That many images: the same ones again under other names."""
    for number in range(count):
        name, data = images[number % len(images)]
        path = PurePosixPath(name)
        yield f"{path.parent}/{path.stem}-{number // len(images)}{path.suffix}", data


def varied(images: list[Named], count: int) -> Iterator[Named]:
    """That many images, no two alike: the same ones turned, mirrored and laid over each other.

    Repetition alone would show nothing: what a program keeps about different images must have to grow.
    """
    decoded = [Image.open(io.BytesIO(data)).convert("RGB") for _, data in images]
    for number in range(count):
        lap, index = divmod(number, len(images))
        turn = TURNS[lap % len(TURNS)]
        image = decoded[index]
        if lap >= len(TURNS):
            other = decoded[(index * 7 + lap) % len(images)]
            image = Image.blend(image, other.resize(image.size), 0.4)
        if turn is not None:
            image = image.transpose(turn)
        path = PurePosixPath(images[index][0])
        yield f"{path.parent}/{path.stem}-{lap}{path.suffix}", jpeg(image)


def jpeg(image: Image.Image) -> bytes:
    """Encode at quality 90."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
