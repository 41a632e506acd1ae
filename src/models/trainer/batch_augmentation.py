"""Mixtures of a batch's images and of their targets, by Keras' MixUp and CutMix."""

import functools
from typing import Any

import keras
import tensorflow as tf

from models.trainer.augmentation import Augmentation
from models.trainer.distortions import to_pixels
from models.trainer.random_seeds import Seeds, derived, eagerly


@tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]  # as in `decode`
def augment_batch(images: Any, targets: Any, augment: Augmentation, seed: Any) -> tuple[Any, Any]:
    """Mix images with others of the batch; with both mixup and cutmix, a batch gets one of them.

    Args:
        images: uint8 [batch, size, size, 3], RGB, 0…255.
        targets: float32 [batch, classes]; rows that sum to 1 still do afterwards.
        augment: `mixup` and `cutmix` count here.
        seed: int64 [2]; it alone decides.

    Returns:
        Images and targets of the same shapes and dtypes.
    """

    def mixed_up() -> tuple[Any, Any]:
        return _mix_up(images, targets, augment.mixup, derived(seed, 1))

    def cut_mixed() -> tuple[Any, Any]:
        return _cut_mix(images, targets, augment.cutmix, derived(seed, 2))

    if augment.mixup and augment.cutmix:
        coin = tf.random.stateless_uniform([], derived(seed, 0))
        return tf.cond(coin < 0.5, mixed_up, cut_mixed)  # type: ignore[no-any-return]
    if augment.mixup:
        return mixed_up()
    return cut_mixed() if augment.cutmix else (images, targets)


def _mix_up(images: Any, targets: Any, alpha: float, seed: Any) -> tuple[Any, Any]:
    layer = _layer("MixUp", alpha=alpha)
    mixture = layer.get_random_transformation(images, seed=Seeds(seed))
    pixels = to_pixels(layer.transform_images(images, mixture))
    return tf.ensure_shape(pixels, images.shape), layer.transform_labels(targets, mixture)


def _cut_mix(images: Any, targets: Any, alpha: float, seed: Any) -> tuple[Any, Any]:
    layer = _layer("CutMix", factor=(alpha, alpha))
    mixture = layer.get_random_transformation(images, seed=Seeds(seed))
    mask = mixture["batch_masks"]
    # Pasted here, for Keras would turn the batch into float32 to do it.
    pixels = tf.where(mask, tf.gather(images, mixture["permutation_order"]), images)
    # The share of whole pixels, where Keras takes that of the rectangle before it meets their grid: on small
    # images they differ by several points.
    mixture["mix_weight"] = 1 - tf.reduce_mean(tf.cast(mask[..., 0], tf.float32), axis=[1, 2])
    return tf.ensure_shape(pixels, images.shape), layer.transform_labels(targets, mixture)


@functools.cache
def _layer(name: str, **settings: Any) -> Any:
    return eagerly(lambda: getattr(keras.layers, name)(dtype="float32", **settings))
