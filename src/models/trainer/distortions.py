"""What changes one training image but its crop: uint8 RGB [size, size, 3], 0…255, to the same.

Each takes a seed, int64 [2], which alone decides what comes out. Image by image, not batch by batch: Keras'
RandAugment then runs the operations that an image drew, not all eleven on all images, and is ten times as
fast; its equalization counts an image's own colours.
"""

import functools
from typing import Any, Final

import keras
import tensorflow as tf

from models.trainer.random_seeds import Seeds, derived, eagerly

RAND_AUGMENT: Final = (
    "random_shear",
    "random_translation",
    "random_rotation",
    "random_brightness",
    "random_color_degeneration",
    "random_contrast",
    "random_sharpness",
    "random_posterization",
    "solarization",
    "auto_contrast",
    "equalization",
)
"""The operations of Keras' RandAugment: its attributes that hold their layers."""
GREY: Final = 127


def jitter_colour(pixels: Any, strength: float, seed: Any) -> Any:
    """Shift brightness by up to `strength` of the range; vary contrast and saturation by up to as much.

    The hue turns by up to a tenth of `strength`, of the circle. TensorFlow's operations and not Keras'
    RandomColorJitter, which takes more than twice as long and lets saturation leave the range.
    """
    lower, upper = max(0.0, 1 - strength), 1 + strength
    values = tf.cast(pixels, tf.float32)
    values = tf.image.stateless_random_brightness(values, 255 * strength, derived(seed, 0))
    values = tf.image.stateless_random_contrast(values, lower, upper, derived(seed, 1))
    values = tf.clip_by_value(values, 0, 255)  # hue and saturation are undefined outside
    values = tf.image.stateless_random_saturation(values, lower, upper, derived(seed, 2))
    return to_pixels(tf.image.stateless_random_hue(values, strength / 10, derived(seed, 3)))


def rand_augment(pixels: Any, magnitude: float, seed: Any) -> Any:
    """Apply two random operations of Keras' RandAugment; `magnitude` from 0 to 1 is its `factor`."""
    return _rand_augment(magnitude, pixels.shape[0])(pixels, seed)


def erase(pixels: Any, share: float, seed: Any) -> Any:
    """Fill a random rectangle of Keras' RandomErasing with grey in a `share` of the images.

    Not with its noise, which it draws for the whole image, in float32: that takes several times as long.
    """

    # The coin is ours, so that the other images don't pay for what Keras would draw and throw away.
    def erased() -> Any:
        layer = _random_erasing()
        mask = layer.get_random_transformation(pixels[None], seed=Seeds(derived(seed, 1)))["batch_masks"][0]
        return tf.ensure_shape(tf.where(mask, tf.constant(GREY, tf.uint8), pixels), pixels.shape)

    return tf.cond(tf.random.stateless_uniform([], derived(seed, 0)) < share, erased, lambda: pixels)


def to_pixels(values: Any) -> Any:
    """Round and clip to uint8."""
    return tf.cast(tf.clip_by_value(tf.round(values), 0, 255), tf.uint8)


@functools.cache
def _random_erasing() -> Any:
    return eagerly(lambda: keras.layers.RandomErasing((1.0, 1.0), dtype="float32"))


@functools.cache
def _rand_augment(magnitude: float, size: int) -> Any:
    """A graph of its own, traced once and not for every epoch's data set: it takes a second."""

    def trace() -> Any:
        policy = keras.layers.RandAugment(factor=magnitude, dtype="float32")
        layers = [getattr(policy, name) for name in RAND_AUGMENT]

        def augmented(pixels: Any, seed: Any) -> Any:
            def turn(done: Any, images: Any) -> Any:
                return done + 1, _one_of(layers, images, tf.random.fold_in(seed, done))

            # A loop, not the operations twice in the graph, which every epoch's data set optimizes anew.
            start = (tf.constant(0, tf.int64), tf.cast(pixels[None], tf.float32))
            _, images = tf.while_loop(lambda done, _: done < policy.num_ops, turn, start)
            return to_pixels(images[0])

        image, seed = tf.TensorSpec([size, size, 3], tf.uint8), tf.TensorSpec([2], tf.int64)
        return tf.function(augmented, autograph=False).get_concrete_function(image, seed)

    return eagerly(trace)


def _one_of(layers: list[Any], images: Any, seed: Any) -> Any:
    drawn = tf.random.stateless_uniform([], derived(seed, 0), 0, len(layers), tf.int32)
    within = derived(seed, 1)
    return tf.switch_case(drawn, [functools.partial(_drawn, layer, images, within) for layer in layers])


def _drawn(layer: Any, images: Any, seed: Any) -> Any:
    """Apply one of Keras' random layers by a seed: float32 [1, size, size, 3] to the same."""
    transformation = layer.get_random_transformation(images, seed=Seeds(seed))
    return tf.ensure_shape(layer.transform_images(images, transformation), images.shape)
