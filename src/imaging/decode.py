"""Encoded bytes to pixels: an RGB image, upright, 8 bits a colour.

Colours: grey and palettes become RGB; transparency is laid on white; CMYK and YCbCr go through Pillow's plain
conversion, ICC profiles aside. Deep grey becomes 8 bits: 16-bit samples by value / 257; wider integers so
if they fit in 16 bits, else stretched from their own range; floats from 0…1 or 0…255 if they fit, else
stretched.
Of an animation or a file of several pages, the first frame is taken.
"""

import io
import warnings
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from imaging.bombs import require_bounded, require_bounded_exif, require_bounded_tiles
from imaging.metered import EndlessError, Metered

MAX_PIXELS: Final = 64 * 1024 * 1024
"""How many pixels an image may have: more than any camera of a phone, and 192 MiB once decoded."""

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
"""What is opened, as Pillow names it: common in photo folders, each with a maintained codec."""

STRANGERS_FORMATS: Final = tuple(kind for kind in FORMATS if kind != "AVIF")
"""What is opened of files that anybody may send: an AVIF's header doesn't bound what its decoder takes."""

ANIMATIONS: Final = ("GIF", "PNG", "WEBP", "AVIF")

_MAGIC: Final = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"II*\x00", b"MM\x00*")
_UNREAD: Final = (
    *((4, b"ftyp" + brand, "HEIC") for brand in (b"heic", b"heix", b"hevc", b"mif1", b"msf1")),
    *((4, b"ftypavif", "AVIF"), (4, b"ftypavis", "AVIF")),
    *((4, b"jP  ", "JPEG 2000"), (0, b"\xff\x4f\xff\x51", "JPEG 2000"), (4, b"JXL ", "JPEG XL")),
    *((0, b"8BPS", "PSD"), (0, b"%!PS", "EPS"), (0, b"%PDF", "PDF")),
)
"""Place, bytes and name of formats that people take for images that any program opens."""
_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION: Final = 0x0112
_APP1: Final = 0xE1
_FRAMES: Final = (0xC0, 0xC1, 0xC2)
"""Markers of JPEGs in Huffman codes, baseline and progressive; few decoders know the others."""
_DEEP: Final = ("I", "I;16", "I;16L", "I;16B", "I;16N", "F")


class ImageError(ValueError):
    """The bytes are no usable image. The message is the reason, short enough for a table's cell."""


class Decoded(NamedTuple):
    """An image, and what it was stored as."""

    image: Image.Image
    """RGB, upright, loaded."""
    format: str
    """As Pillow names it: JPEG, PNG, …; MPO is a JPEG with further pictures behind it."""
    animated: bool
    """Whether there are further frames, of which `image` is the first. The pages of a TIFF aren't frames."""

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """uint8 [height, width, 3], read-only."""
        return np.asarray(self.image)


def decode(data: bytes, max_pixels: int = MAX_PIXELS, formats: tuple[str, ...] = FORMATS) -> Decoded:
    """Decode an image fully.

    Args:
        data: the whole file.
        max_pixels: an image with more is refused by its header, before anything is decoded.
        formats: what is opened, of `FORMATS`.

    Raises:
        ImageError: with a short reason: `empty`, `not an image`, `truncated`, `too many pixels: 9000x9000`, …
    """
    # Pillow warns of doubtful files; here they are read or refused. Not `catch_warnings`, which swaps the
    # whole process' filters and so isn't for the threads that a server decodes in.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    if not data:
        raise ImageError("empty")
    try:
        require_bounded(data)
        file = Metered(data)
        with Image.open(file, formats=formats) as image:
            _check_size(image, max_pixels)
            require_bounded_tiles(image)
            file.allow_pixels()
            image.load()
            file.end_within(1)
            animated = image.format in ANIMATIONS and bool(getattr(image, "is_animated", False))
            return Decoded(_to_rgb(_turn_upright(image)), image.format or "unknown", animated)
    except ImageError:
        raise
    except Exception as error:  # Pillow's plugins raise nearly anything at hostile bytes
        raise ImageError(_reason(error, data)) from error


def is_plain_jpeg(data: bytes) -> bool:
    """Whether bytes that were decoded before are a JPEG that any decoder shows upright and in RGB or grey."""
    # By its markers, a hundred times as fast as opening it; only with EXIF or XMP it may have to be turned.
    at = 2
    while data[at : at + 1] == b"\xff":
        marker = data[at + 1]
        if marker == _APP1:
            return _is_upright_jpeg(data)
        if marker in _FRAMES:
            precision, components = data[at + 4], data[at + 9]
            return precision == 8 and components in (1, 3)
        at += 1 if marker == 0xFF else 2 + int.from_bytes(data[at + 2 : at + 4])
    return False


def _is_upright_jpeg(data: bytes) -> bool:
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        upright = image.getexif().get(_ORIENTATION, 1) == 1
        return image.format == "JPEG" and image.mode in ("RGB", "L") and upright


def _check_size(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise ImageError(f"too many pixels: {width}x{height}")


def _reason(error: Exception, data: bytes) -> str:
    message = " ".join(str(error).split()).lower()
    if isinstance(error, Image.DecompressionBombError):
        return f"too many pixels: {message}"
    if isinstance(error, UnidentifiedImageError):
        if len(data) < 1024 and data.startswith(_MAGIC):
            return "truncated"
        other = next((name for at, start, name in _UNREAD if data.startswith(start, at)), None)
        return f"a format that isn't read: {other}" if other else "not an image"
    if "truncated" in message or isinstance(error, EOFError):
        return "truncated"
    return f"broken: {message[:100] or type(error).__name__}"


def _turn_upright(image: Image.Image) -> Image.Image:
    try:
        require_bounded_exif(image)
        orientation = image.getexif().get(_ORIENTATION)
    except EndlessError:
        raise
    except Exception:  # noqa: BLE001 - a photo whose EXIF block is broken is still a photo
        return image
    turn = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return image if turn is None else image.transpose(turn)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in _DEEP:
        return Image.fromarray(_to_8_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        opaque = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", opaque.size, "white"), opaque).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_8_bits(samples: NDArray[Any]) -> NDArray[np.uint8]:
    values = samples.astype(np.float64)
    values[~np.isfinite(values)] = 0.0
    low, high = float(values.min()), float(values.max())
    tops = (1.0, 255.0) if samples.dtype.kind == "f" else (65535.0,)
    top = next((top for top in tops if low >= 0.0 and high <= top), None)
    if top is None:  # no convention holds
        values = values / 2 - low / 2  # the range of doubles may be more than a double holds
        top = (high / 2 - low / 2) or 1.0
    return np.asarray(np.rint(values / top * 255.0), np.uint8)
