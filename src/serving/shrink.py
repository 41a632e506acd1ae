"""A photo made small enough to send: the network sees a few hundred pixels of it anyway.

Encoded bytes in, encoded bytes out; what is small is sent as it is.
"""

from typing import Final

from PIL import Image

from imaging import ImageError, decode, encode_jpeg

UNTOUCHED_BYTES: Final = 300_000
"""Up to so many, a file is sent as it is."""
LONGEST: Final = 1024
"""The longer side's pixels, unless the shorter one would have less than `SHORTEST`."""
SHORTEST: Final = 512
QUALITIES: Final = (90, 80, 70, 60)
"""Of the JPEG, from the first on, until it is small enough."""
SMALLER: Final = 0.7
"""By which the sides shrink where no quality is enough."""

_AVIF: Final = (b"ftypavif", b"ftypavis")
"""How files begin that we read, and a server doesn't of strangers."""


def shrink(data: bytes, max_bytes: int) -> bytes:
    """Make an image of at most `max_bytes`, upright and in RGB where it isn't sent as it is.

    Raises:
        ImageError: the bytes are no usable image, and too many to send as they are.
    """
    unread = data[4:12] in _AVIF
    if len(data) <= min(UNTOUCHED_BYTES, max_bytes) and not unread:
        return data
    image = _scaled(decode(data).image)
    while min(image.size) > 1:
        for quality in QUALITIES:
            smaller = encode_jpeg(image, quality)
            if len(smaller) <= max_bytes:
                # It may have been small in all but its file's form.
                return smaller if unread else min(smaller, data, key=len)
        image = _resized(image, SMALLER)
    raise ImageError(f"can't be made smaller than {max_bytes} bytes")


def _scaled(image: Image.Image) -> Image.Image:
    factor = max(LONGEST / max(image.size), SHORTEST / min(image.size))
    return image if factor >= 1 else _resized(image, factor)


def _resized(image: Image.Image, factor: float) -> Image.Image:
    width, height = (max(1, round(side * factor)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
