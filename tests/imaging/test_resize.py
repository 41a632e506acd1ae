import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import imaging
from contracts.bundle import ImageSpec
from contracts.dataset import ResizeMode
from imaging import decode, is_resized, prepare
from imaging.resize import MAX_ASPECT

MODES = ["shorter-side", "crop", "pad", "stretch"]
sides = st.integers(1, 200)
modes = st.sampled_from(MODES)


def resize(pixels: np.ndarray, size: int, mode: ResizeMode) -> np.ndarray:
    return np.asarray(imaging.resize(Image.fromarray(pixels), size, mode))


def centre_crop(pixels: np.ndarray, size: int) -> np.ndarray:
    return np.asarray(imaging.centre_crop(Image.fromarray(pixels), size))


def encode_jpeg(pixels: np.ndarray, quality: int) -> bytes:
    return imaging.encode_jpeg(Image.fromarray(pixels), quality)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@settings(max_examples=200, deadline=None)
@given(height=sides, width=sides, size=st.integers(1, 100), mode=modes)
def test_shapes(height, width, size, mode):
    resized = resize(noise(height, width), size, mode)
    assert resized.dtype == np.uint8
    if mode == "shorter-side":
        assert min(resized.shape[:2]) == size
        expected = min(max(height, width) / min(height, width), MAX_ASPECT) * size
        assert abs(max(resized.shape[:2]) - expected) <= 0.5
        assert resized.shape[int(height > width)] == size  # the side that was shorter
    else:
        assert resized.shape == (size, size, 3)
    assert np.array_equal(resize(resized, size, mode), resized)
    assert is_resized(resized.shape[1], resized.shape[0], size, mode)
    assert is_resized(width, height, size, mode) == (resized.shape == (height, width, 3))


def test_a_line_does_not_become_a_gigapixel():
    assert resize(noise(1, 20_000), 256, "shorter-side").shape == (256, 256 * MAX_ASPECT, 3)


def test_crop_takes_the_centre():
    pixels = np.zeros((10, 30, 3), np.uint8)
    pixels[:, 10:20] = 200
    assert (resize(pixels, 10, "crop") == 200).all()
    assert (resize(pixels, 5, "crop")[:, 1:-1] == 200).all()  # at its rim the filter sees beyond the crop
    assert (centre_crop(pixels, 10) == 200).all()


def test_pad_keeps_the_whole_image_on_black():
    padded = resize(np.full((10, 20, 3), 200, np.uint8), 20, "pad")
    assert (padded[5:15] == 200).all()
    assert (padded[:5] == 0).all()
    assert (padded[15:] == 0).all()


def test_stretch_keeps_everything():
    pixels = np.zeros((10, 20, 3), np.uint8)
    pixels[:, 10:] = 200
    stretched = resize(pixels, 10, "stretch")
    assert (stretched[:, :4] == 0).all()
    assert (stretched[:, 6:] == 200).all()


def test_shrinking_is_antialiased():
    board = (np.indices((128, 128)).sum(axis=0) % 2 * 255).astype(np.uint8)
    small = resize(np.repeat(board[..., None], 3, axis=2), 16, "crop")
    assert np.ptp(small[2:-2, 2:-2]) <= 4  # a checkerboard becomes an even grey, not another pattern


@settings(max_examples=60, deadline=None)
@given(height=sides, width=sides, size=st.integers(1, 64), record=st.integers(1, 64), mode=modes)
def test_prepare_gives_the_networks_square_and_the_records_themselves_stay(height, width, size, record, mode):
    spec = ImageSpec(size=size, record_size=record, resize=mode)
    buffer = io.BytesIO()
    Image.fromarray(noise(height, width)).save(buffer, "PNG")
    prepared = prepare(buffer.getvalue(), spec)
    assert prepared.shape == (size, size, 3)
    # What build_records writes and the golden images hold is at its size already: only the crop is left.
    stored = encode_jpeg(resize(noise(height, width), record, mode), 90)
    assert np.array_equal(prepare(stored, spec), centre_crop(decode(stored).pixels, size))


@pytest.mark.parametrize(("side", "tolerance"), [(32, 6), (96, 8)])
def test_jpeg_is_rgb_close_and_the_same_each_time(side, tolerance):
    ramp = np.linspace(0, 255, side).astype(np.uint8)
    pixels = np.stack(
        [np.tile(ramp, (side, 1)), np.tile(ramp[:, None], (1, side)), np.full((side, side), 90)], 2
    )
    pixels = pixels.astype(np.uint8)
    data = encode_jpeg(pixels, 95)
    decoded = decode(data)
    assert decoded.format == "JPEG"
    np.testing.assert_allclose(decoded.pixels.astype(int), pixels, atol=tolerance)
    assert encode_jpeg(pixels, 95) == data
    assert len(encode_jpeg(pixels, 10)) < len(data)


def test_only_rgb_is_encoded():
    with pytest.raises(ValueError, match="expected an RGB image"):
        encode_jpeg(np.zeros((4, 4), np.uint8), 90)


@settings(max_examples=50, deadline=None)
@given(height=sides, width=sides, size=st.integers(1, 100))
def test_it_is_pillows_bilinear_to_within_a_rounding(height, width, size):
    pillow = Image.fromarray(noise(height, width)).resize((size, size), Image.Resampling.BILINEAR)
    assert np.abs(resize(noise(height, width), size, "stretch") - np.asarray(pillow, int)).max() <= 2
