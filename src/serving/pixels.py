"""How many pixels a request would have us decode, told from the headers of its images.

A small file may hold many: bytes alone don't bound the time that a request takes from all others.
"""

from collections.abc import Sequence

from PIL import Image

from imaging.bombs import require_bounded
from imaging.decode import STRANGERS_FORMATS
from imaging.metered import Metered
from serving.errors import TooManyPixelsError


def require_few_pixels(images: Sequence[bytes], limit: int) -> None:
    """Refuse images that hold more than `limit` pixels together.

    Raises:
        TooManyPixelsError: they do.
    """
    pixels = sum(count_pixels(image) for image in images)
    if pixels > limit:
        raise TooManyPixelsError(
            f"at most {limit / 1e6:.0f} megapixels a request, got {pixels / 1e6:.0f}: "
            "send fewer or smaller images"
        )


def count_pixels(data: bytes) -> int:
    """Count an image's pixels; 0 of what is none, which costs nothing and whose decoding says why."""
    try:
        require_bounded(data)
        with Image.open(Metered(data), formats=STRANGERS_FORMATS) as image:
            return image.width * image.height
    except Exception:  # noqa: BLE001 - Pillow's plugins raise nearly anything at hostile bytes
        return 0
