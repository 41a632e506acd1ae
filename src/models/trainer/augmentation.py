"""JPEG bytes to uint8 RGB [size, size, 3], 0…255, in TensorFlow ops: random crops, or the centre.

Records hold images that `imaging` has prepared, so decoding and cropping is all there is to do here.
`INTEGER_ACCURATE` gives the very pixels that Pillow gives the server. A crop is decoded alone, which is
cheaper than cropping what was decoded.
"""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

ACCURATE = "INTEGER_ACCURATE"
LARGEST_ASPECT = 4 / 3


@dataclass(frozen=True)
class Augmentation:
    """What is done to training images."""

    flip: bool
    """Mirror half of them left to right."""
    crop_scale: float
    """Smallest area of a crop, as a share of the largest square; 1: the centre square, always."""


def decode(encoded: Any, size: int, augment: Augmentation, seed: Any) -> Any:
    """Decode a training image; `seed` int64 [2] decides its crop and its flip."""
    if augment.crop_scale < 1:
        window = _random_window(tf.image.extract_jpeg_shape(encoded), augment.crop_scale, seed)
        pixels = _resized(tf.image.decode_and_crop_jpeg(encoded, window, 3, dct_method=ACCURATE), size)
    else:
        pixels = decode_centre(encoded, size)
    if augment.flip:
        pixels = tf.image.stateless_random_flip_left_right(pixels, seed)
    return tf.ensure_shape(pixels, [size, size, 3])


def decode_centre(encoded: Any, size: int) -> Any:
    """Decode the centre square, as `imaging.centre_crop` takes it."""
    shape = tf.image.extract_jpeg_shape(encoded)
    window = tf.stack([(shape[0] - size) // 2, (shape[1] - size) // 2, size, size])
    pixels = tf.image.decode_and_crop_jpeg(encoded, window, 3, dct_method=ACCURATE)
    return tf.ensure_shape(pixels, [size, size, 3])


def _random_window(shape: Any, smallest: float, seed: Any) -> Any:
    """Choose [top, left, height, width] inside an image: int32 [4].

    The area counts against the largest square, not the whole image, so that a panorama has crops as well.
    """
    draws = tf.random.stateless_uniform([4], seed)
    height, width = tf.cast(shape[0], tf.float32), tf.cast(shape[1], tf.float32)
    largest = tf.minimum(height, width) ** 2
    area = largest * (smallest + (1 - smallest) * draws[0])
    # Towards a square as the crop comes near the largest, for an oblong of that area would not fit.
    bound = tf.minimum(tf.math.log(LARGEST_ASPECT), tf.math.log(largest / area))
    aspect = tf.exp(bound * (2 * draws[1] - 1))
    box_height = tf.clip_by_value(tf.round(tf.sqrt(area / aspect)), 1, height)
    box_width = tf.clip_by_value(tf.round(tf.sqrt(area * aspect)), 1, width)
    top = tf.floor(draws[2] * (height - box_height + 1))
    left = tf.floor(draws[3] * (width - box_width + 1))
    return tf.cast(tf.stack([top, left, box_height, box_width]), tf.int32)


def _resized(pixels: Any, size: int) -> Any:
    scaled = tf.image.resize(pixels, [size, size], antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(scaled), 0, 255), tf.uint8)
