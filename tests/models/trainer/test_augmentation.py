"""Training images: what each augmentation does, repeatable by its seed, and crops and enlarging in size."""

import io
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import imaging
from contracts.bundle import ImageSpec
from models.trainer import distortions
from models.trainer.augmentation import Augmentation, _random_window, decode, decode_centre
from models.trainer.resizing import fit

SIZE = 48
ALL = Augmentation(flip=True, crop_scale=0.3, color_jitter=0.4, rand_augment=0.5, random_erasing=0.5)


def photo(height: int = 60, width: int = 80, quality: int = 95) -> bytes:
    """Encode soft colours with an edge, as in photos."""
    rows, columns = np.mgrid[0:height, 0:width]
    pixels = np.stack(
        [rows * 255 / height, columns * 255 / width, 90 + 60 * np.sin(rows / 7 + columns / 9)], -1
    )
    pixels[height // 4 : height // 2, width // 4 : width // 2] = (200, 40, 60)
    return imaging.encode_jpeg(Image.fromarray(pixels.astype(np.uint8)), quality)


def seed(number: int, epoch: int = 1) -> Any:
    return tf.constant([epoch, number], tf.int64)


def augmented(augment: Augmentation, numbers: range, parallel: int = 1) -> NDArray[np.uint8]:
    """What a data set gives for these seeds."""
    encoded = photo()
    data = tf.data.Dataset.range(numbers.start, numbers.stop).map(
        lambda number: decode(encoded, SIZE, augment, tf.stack([tf.constant(1, tf.int64), number])),
        num_parallel_calls=parallel,
    )
    return np.stack(list(data.as_numpy_iterator()))


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 400),
    width=st.integers(1, 400),
    smallest=st.floats(0.05, 0.99),
    number=st.integers(0, 2**31 - 1),
)
def test_a_window_lies_inside_and_is_as_large_as_asked(
    height: int, width: int, smallest: float, number: int
) -> None:
    top, left, box_height, box_width = _random_window([height, width, 3], smallest, [number, 0]).numpy()
    assert 0 <= top <= top + box_height <= height
    assert 0 <= left <= left + box_width <= width
    rounding = box_height + box_width + 1  # of half a pixel a side
    assert smallest * min(height, width) ** 2 - rounding <= box_height * box_width
    assert box_height * box_width <= min(height, width) ** 2 + rounding


def test_only_the_seed_decides() -> None:
    together = augmented(ALL, range(12), parallel=4)
    keras.utils.set_random_seed(7)  # nor does what Keras' own generators hold
    np.testing.assert_array_equal(augmented(ALL, range(8, 12)), together[8:])
    assert len({image.tobytes() for image in together}) == 12


def test_flips_mirror_about_half_of_the_images_whatever_their_crops() -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:, :8] = 255
    encoded = tf.constant(imaging.encode_jpeg(Image.fromarray(pixels), 95))
    flip = Augmentation(flip=True)
    bright_left = [bool(decode(encoded, 16, flip, seed(number))[0, 0, 0] > 127) for number in range(60)]
    assert 15 < sum(bright_left) < 45
    areas = []
    for number in range(60):
        window = _random_window([99, 99, 3], 0.1, distortions.derived(seed(number), 0)).numpy()
        areas.append(int(window[2] * window[3]))
    assert abs(np.corrcoef(areas, bright_left)[0, 1]) < 0.4


def test_a_grey_jpeg_becomes_rgb() -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.full((40, 50), 77, np.uint8)).save(buffer, "JPEG")
    encoded = tf.constant(buffer.getvalue())
    for pixels in (
        decode(encoded, 32, Augmentation(crop_scale=0.5), seed(0)),
        decode_centre(encoded, 64, 40),
    ):
        assert pixels.shape[2] == 3
        np.testing.assert_allclose(pixels, 77, atol=1)


@pytest.mark.parametrize("inner", [12, 32, 53, 96, 200])
def test_crops_are_resized_without_aliasing(inner: int) -> None:
    pixels = np.asarray(Image.open(io.BytesIO(photo(inner, inner + 7))))
    expected = Image.fromarray(pixels).resize((32, 32), Image.Resampling.BOX if inner > 32 else 2)
    difference = fit(tf.constant(pixels), 32).numpy().astype(int) - np.asarray(expected)
    assert np.abs(difference).mean() < 1.5
    checks = np.indices((inner, inner)).sum(0)[..., None].repeat(3, -1) % 2 * np.uint8(255)
    if inner >= 96:
        assert np.ptp(fit(tf.constant(checks), 32).numpy().astype(int)) < 64


@settings(max_examples=30, deadline=None)
@given(
    record=st.sampled_from([8, 28, 32]),
    longer=st.integers(0, 20),
    upright=st.booleans(),
    size=st.sampled_from([32, 48, 96]),
)
def test_small_records_are_enlarged_as_the_server_enlarges_images(
    record: int, longer: int, upright: bool, size: int
) -> None:
    height, width = (record + longer, record) if upright else (record, record + longer)
    encoded = photo(height, width)
    spec = ImageSpec(size=size, record_size=record, resize="shorter-side")
    expected = imaging.prepare(encoded, spec).astype(int)
    for pixels in (
        decode_centre(encoded, size, record),
        decode(encoded, size, Augmentation(), seed(0), record),
    ):
        difference = np.abs(pixels.numpy() - expected)
        assert difference.mean() <= 0.6
        assert difference.max() <= 3


def test_random_crops_of_small_records_are_enlarged() -> None:
    encoded = photo(28, 28)
    pixels = decode(encoded, 64, Augmentation(crop_scale=0.9), seed(3), 28).numpy().astype(int)
    centre = decode_centre(encoded, 64, 28).numpy()
    assert np.abs(pixels - centre).mean() < 25


def test_colours_vary_and_stay_as_they_are_in_grey() -> None:
    pixels = decode_centre(photo(), SIZE)
    jittered = [distortions.jitter_colour(pixels, 0.4, seed(number)).numpy() for number in range(20)]
    brightness = [image.mean() for image in jittered]
    assert min(brightness) < pixels.numpy().mean() - 20
    assert max(brightness) > pixels.numpy().mean() + 20
    grey = tf.fill([SIZE, SIZE, 3], tf.constant(128, tf.uint8))
    shifted = distortions.jitter_colour(grey, 0.2, seed(1)).numpy()
    assert np.ptp(shifted) <= 1  # nothing to saturate, turn or contrast
    assert abs(int(shifted[0, 0, 0]) - 128) <= 0.2 * 255 + 1


def test_erasing_fills_a_rectangle_in_a_share_of_the_images() -> None:
    plain = tf.fill([SIZE, SIZE, 3], tf.constant(100, tf.uint8))
    changed = [(distortions.erase(plain, 0.3, seed(number)).numpy() != 100).any(-1) for number in range(80)]
    erased = [mask for mask in changed if mask.any()]
    assert 12 <= len(erased) <= 38
    for mask in erased:
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        assert 0.005 < mask.mean() < 0.45
        assert mask[np.ix_(range(rows[0], rows[-1] + 1), range(columns[0], columns[-1] + 1))].mean() > 0.98


def test_rand_augment_has_the_operations_of_keras_and_draws_them_for_each_image() -> None:
    assert tuple(keras.layers.RandAugment._AUGMENT_LAYERS) == distortions.RAND_AUGMENT
    pixels = decode_centre(photo(), SIZE)
    results = [distortions.rand_augment(pixels, 0.5, seed(number)).numpy() for number in range(30)]
    assert len({image.tobytes() for image in results}) > 20


@pytest.mark.parametrize("name", distortions.RAND_AUGMENT)
def test_an_operation_of_rand_augment_does_as_the_layer_by_our_seed(name: str) -> None:
    layer = getattr(keras.layers.RandAugment(factor=0.5, dtype="float32"), name)
    images = tf.cast(decode_centre(photo(), SIZE)[None], tf.float32)
    results = [distortions._drawn(layer, images, seed(number)).numpy() for number in (1, 1, 2, 3, 4)]
    np.testing.assert_array_equal(results[0], results[1])
    assert np.abs(results[0] - images.numpy()).mean() > 0.5
    alike = all(np.array_equal(results[0], other) for other in results[2:])
    assert alike == (name in ("auto_contrast", "equalization"))  # which draw nothing
