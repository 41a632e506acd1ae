import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imaging import ImageError, decode


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def corners() -> Image.Image:
    """A picture that looks different in each of the eight orientations."""
    pixels = np.zeros((16, 24, 3), np.uint8)
    pixels[:8, :12] = (255, 0, 0)
    pixels[:8, 12:] = (0, 255, 0)
    pixels[8:, :12] = (0, 0, 255)
    return Image.fromarray(pixels)


# How the camera holds the picture, so that EXIF's orientation makes it upright again.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "JPEG"])
@pytest.mark.parametrize("orientation", STORED)
def test_every_orientation_comes_out_upright(orientation, kind):
    turn = STORED[orientation]
    stored = corners() if turn is None else corners().transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}.get(kind, {})
    decoded = decode(encoded(stored, kind, exif=exif, **options))
    assert decoded.format == kind
    np.testing.assert_allclose(decoded.pixels, np.asarray(corners()), atol=2 if kind == "JPEG" else 0)


def ramp(dtype, top) -> np.ndarray:
    return np.linspace(0, top, 256).reshape(1, 256).astype(dtype)


RAMP = np.repeat(np.arange(256, dtype=np.uint8).reshape(1, 256, 1), 3, axis=2)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(lambda: encoded(Image.fromarray(ramp(np.uint8, 255))), id="grey"),
        pytest.param(lambda: encoded(Image.fromarray(ramp(np.uint16, 65535))), id="16-bit png"),
        pytest.param(lambda: encoded(Image.fromarray(ramp(np.uint16, 65535)), "TIFF"), id="16-bit tiff"),
        pytest.param(lambda: encoded(Image.fromarray(ramp(np.int32, 65535)), "TIFF"), id="16 bits in 32"),
        pytest.param(lambda: encoded(Image.fromarray(ramp(np.int32, 2**31 - 1)), "TIFF"), id="32-bit"),
        pytest.param(lambda: encoded(Image.fromarray(ramp(np.float32, 1)), "TIFF"), id="float to 1"),
        pytest.param(lambda: encoded(Image.fromarray(ramp(np.float32, 255)), "TIFF"), id="float to 255"),
        pytest.param(lambda: encoded(Image.fromarray(ramp(np.float32, 9) - 3), "TIFF"), id="any float"),
        pytest.param(lambda: b"P5 256 1 65535 " + ramp(">u2", 65535).tobytes(), id="16-bit pgm"),
        pytest.param(lambda: encoded(Image.fromarray(ramp(np.uint8, 255)).convert("P")), id="palette"),
        pytest.param(lambda: encoded(Image.fromarray(ramp(np.uint8, 255)).convert("LA")), id="grey + alpha"),
    ],
)
def test_a_grey_ramp_is_the_same_ramp_however_it_is_stored(data):
    pixels = decode(data()).pixels
    assert pixels.shape == (1, 256, 3)
    np.testing.assert_allclose(pixels.astype(int), RAMP, atol=1)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("1", (4, 4), 1), (255, 255, 255)),
        (Image.new("RGBA", (4, 4), (255, 0, 0, 255)), (255, 0, 0)),
        (Image.new("RGBA", (4, 4), (0, 0, 0, 0)), (255, 255, 255)),
        (Image.new("RGBA", (4, 4), (255, 0, 0, 127)), (255, 128, 128)),
        (Image.new("LA", (4, 4), (0, 0)), (255, 255, 255)),
        (Image.new("LA", (4, 4), (10, 255)), (10, 10, 10)),
    ],
)
def test_transparency_lies_on_white(image, expected):
    assert (decode(encoded(image)).pixels == expected).all()


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_a_transparent_colour_is_white(mode):
    black = Image.new(mode, (4, 4), 0 if mode != "RGB" else (0, 0, 0))
    transparent = (0, 0, 0) if mode == "RGB" else 0
    assert (decode(encoded(black, transparency=transparent)).pixels == 255).all()


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk(kind):
    data = encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), kind)
    np.testing.assert_allclose(decode(data).pixels, np.full((8, 8, 3), (255, 0, 0)), atol=4)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_an_animation_gives_its_first_frame(kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert (decode(data).pixels == (255, 0, 0)).all()


def png_header(width: int, height: int) -> bytes:
    """A PNG that says it is huge, with next to nothing in it: a decompression bomb."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [8193, 10_000, 60_000])  # within Pillow's own limits, above one, above both
def test_a_bomb_is_refused_by_its_header(side):
    with pytest.raises(ImageError, match=r"^too many pixels: "):
        decode(png_header(side, side))


def test_the_limit_on_pixels_is_the_callers():
    data = encoded(Image.new("RGB", (10, 10)))
    assert decode(data, max_pixels=100).pixels.shape == (10, 10, 3)
    with pytest.raises(ImageError, match=r"^too many pixels: 10x10$"):
        decode(data, max_pixels=99)


def photo() -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    return encoded(Image.fromarray(noise), "JPEG")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"hello", "not an image"),
        (b"<html>" * 1000, "not an image"),
        (photo()[:10], "truncated"),
        (photo()[:2000], "truncated"),
        (encoded(corners(), "PNG")[:60], "truncated"),
        (
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n",
            "a format that isn't read: EPS",
        ),  # Pillow would call Ghostscript
    ],
)
def test_what_is_no_usable_image_is_refused_with_a_reason(data, reason):
    with pytest.raises(ImageError) as refusal:
        decode(data)
    assert str(refusal.value) == reason


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF"])
@settings(max_examples=60, deadline=None)
@given(edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6), keep=st.floats(0, 1))
def test_damaged_files_decode_or_raise_image_error_and_nothing_else(kind, edits, keep):
    data = bytearray(encoded(corners(), kind))
    for where, value in edits:
        data[int(where * (len(data) - 1))] = value
    try:
        pixels = decode(bytes(data[: int(keep * len(data))]), max_pixels=1_000_000).pixels
    except ImageError as error:
        assert str(error)
        assert len(str(error)) < 200
        assert "\n" not in str(error)
    else:
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3
