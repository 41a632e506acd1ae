"""JPEG bytes to uint8 RGB [size, size, 3], 0…255, in TensorFlow ops: augmented, or the centre.

Records hold images that `imaging` has prepared, so decoding and cropping is most of what there is to do here.
`INTEGER_ACCURATE` gives the very pixels that Pillow gives the server. A crop is decoded alone, which is
cheaper than cropping what was decoded.
"""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from models.trainer import distortions
from models.trainer.random_seeds import derived
from models.trainer.resizing import fit, square

ACCURATE = "INTEGER_ACCURATE"
LARGEST_ASPECT = 4 / 3


@dataclass(frozen=True)
class Augmentation:
    """What is done to training images; 0 is not done."""

    flip: bool = False
    """Mirror half of them left to right."""
    crop_scale: float = 1.0
    """Smallest area of a crop, as a share of the largest square; 1: the centre square, always."""
    color_jitter: float = 0.0
    """Strength of random brightness, contrast and saturation; the hue turns by a tenth of it."""
    rand_augment: float = 0.0
    """Magnitude of Keras' RandAugment, up to 1."""
    random_erasing: float = 0.0
    """Share of the images in which a rectangle is erased."""
    mixup: float = 0.0
    """Alpha of mixup: two images' weights come from Beta(alpha, alpha), which TensorFlow draws rightly from
    an alpha of 0.05 on."""
    cutmix: float = 0.0
    """Alpha of cutmix, from 0.05 to 1: its rectangles' areas come from Beta(alpha, alpha)."""

    @property
    def on_batches(self) -> bool:
        """Whether `augment_batch` has anything to do."""
        return self.mixup > 0 or self.cutmix > 0


# AutoGraph, where Python has it, would convert Keras' code too: seconds for every data set, and nothing in it
# needs that.
@tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
def decode(encoded: Any, size: int, augment: Augmentation, seed: Any, record_size: int | None = None) -> Any:
    """Decode a training image and augment it, but for what mixes images.

    Args:
        encoded: string scalar, a JPEG.
        size: pixels of the square that comes out.
        augment: what is done to it.
        seed: int64 [2]; it alone decides what comes out.
        record_size: as for `decode_centre`.

    Returns:
        uint8 [size, size, 3].
    """
    if augment.crop_scale < 1:
        shape = tf.image.extract_jpeg_shape(encoded)
        window = _random_window(shape, augment.crop_scale, derived(seed, 0))
        pixels = fit(tf.image.decode_and_crop_jpeg(encoded, window, 3, dct_method=ACCURATE), size)
    else:
        pixels = decode_centre(encoded, size, record_size)
    pixels = tf.ensure_shape(pixels, [size, size, 3])
    if augment.flip:
        pixels = tf.image.stateless_random_flip_left_right(pixels, derived(seed, 1))
    if augment.color_jitter:
        pixels = distortions.jitter_colour(pixels, augment.color_jitter, derived(seed, 2))
    if augment.rand_augment:
        pixels = distortions.rand_augment(pixels, augment.rand_augment, derived(seed, 3))
    if augment.random_erasing:
        pixels = distortions.erase(pixels, augment.random_erasing, derived(seed, 4))
    return tf.ensure_shape(pixels, [size, size, 3])


def decode_centre(encoded: Any, size: int, record_size: int | None = None) -> Any:
    """Decode the centre square, as `imaging.centre_crop` takes it.

    Args:
        encoded: string scalar, a JPEG.
        size: pixels of the square that comes out.
        record_size: pixels of the record's shorter side; where it is less than `size`, the largest centre
            square is enlarged. Left out: it is not.

    Returns:
        uint8 [size, size, 3].
    """
    if record_size is not None and record_size < size:
        pixels = square(tf.image.decode_jpeg(encoded, 3, dct_method=ACCURATE), size)
    else:
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
