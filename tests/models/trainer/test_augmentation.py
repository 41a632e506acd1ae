"""Random crops: inside the image, of the asked size, never empty, whatever the image's shape."""

import io

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imaging import encode_jpeg
from models.trainer.augmentation import Augmentation, _random_window, decode


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 400),
    width=st.integers(1, 400),
    smallest=st.floats(0.05, 0.99),
    seed=st.integers(0, 2**31 - 1),
)
def test_a_window_lies_inside_and_is_as_large_as_asked(
    height: int, width: int, smallest: float, seed: int
) -> None:
    top, left, box_height, box_width = _random_window([height, width, 3], smallest, [seed, 0]).numpy()
    assert 0 <= top <= top + box_height <= height
    assert 0 <= left <= left + box_width <= width
    rounding = box_height + box_width + 1  # of half a pixel a side
    assert smallest * min(height, width) ** 2 - rounding <= box_height * box_width
    assert box_height * box_width <= min(height, width) ** 2 + rounding


def test_flips_mirror_about_half_of_the_images() -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:, :8] = 255
    data = tf.constant(encode_jpeg(Image.fromarray(pixels), 95))
    left = [
        decode(data, 16, Augmentation(flip=True, crop_scale=1.0), tf.constant([seed, 1], tf.int64))[0, 0, 0]
        > 127
        for seed in range(40)
    ]
    assert 8 < sum(map(bool, left)) < 32


def test_a_grey_jpeg_becomes_rgb() -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.full((40, 50), 77, np.uint8)).save(buffer, "JPEG")
    seed = tf.constant([0, 0], tf.int64)
    pixels = decode(
        tf.constant(buffer.getvalue()), 32, Augmentation(flip=False, crop_scale=0.5), seed
    ).numpy()
    assert pixels.shape == (32, 32, 3)
    np.testing.assert_allclose(pixels, 77, atol=1)
