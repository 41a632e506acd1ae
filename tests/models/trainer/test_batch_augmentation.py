"""Mixtures: pixels and targets by the same weights, by the seed alone, in batches of any size."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.trainer.augmentation import Augmentation
from models.trainer.batch_augmentation import augment_batch

SIZE = 12
MIXUP, CUTMIX, BOTH = Augmentation(mixup=0.4), Augmentation(cutmix=1.0), Augmentation(mixup=0.4, cutmix=1.0)


def batch(images: int) -> tuple[Any, Any]:
    """Plain images, each of its own grey and class: the grey tells what it's made of."""
    greys = np.arange(images, dtype=np.uint8) * 16
    pixels = np.broadcast_to(greys[:, None, None, None], (images, SIZE, SIZE, 3))
    return tf.constant(pixels), tf.one_hot(tf.range(images), images)


def augmented(images: int, augment: Augmentation, number: int) -> tuple[NDArray[Any], NDArray[Any]]:
    seed = tf.constant([3, number], tf.int64)
    pixels, targets = augment_batch(*batch(images), augment, seed)
    return pixels.numpy(), targets.numpy()


@settings(max_examples=25, deadline=None)
@given(
    images=st.integers(1, 16), augment=st.sampled_from([MIXUP, CUTMIX, BOTH]), number=st.integers(0, 2**40)
)
def test_targets_weigh_the_classes_as_the_pixels_do(images: int, augment: Augmentation, number: int) -> None:
    pixels, targets = augmented(images, augment, number)
    assert pixels.dtype == np.uint8
    assert targets.dtype == np.float32
    assert pixels.shape == (images, SIZE, SIZE, 3)
    np.testing.assert_allclose(targets.sum(1), 1, atol=1e-6)
    assert (targets >= 0).all()
    expected = targets @ (np.arange(images) * 16)
    np.testing.assert_allclose(pixels.mean((1, 2, 3)), expected, atol=0.51)


def test_mixup_blends_whole_images_and_cutmix_pastes_rectangles() -> None:
    blended, _ = augmented(16, MIXUP, 1)
    assert (blended == blended[:, :1, :1]).all()
    pasted, targets = augmented(16, CUTMIX, 1)
    assert set(np.unique(pasted)) <= set(range(0, 256, 16))
    assert (np.count_nonzero(targets, axis=1) == 2).any()


def test_with_both_each_batch_gets_one_of_them() -> None:
    batches = [augmented(16, BOTH, number)[0] for number in range(30)]
    mixed_up = sum(bool((pixels == pixels[:, :1, :1]).all()) for pixels in batches)
    assert 5 <= mixed_up <= 25


@pytest.mark.parametrize("augment", [MIXUP, CUTMIX, BOTH])
def test_in_a_data_set_only_the_seed_decides(augment: Augmentation) -> None:
    images, targets = batch(10)

    def passed(first: int, parallel: int) -> list[tuple[NDArray[Any], NDArray[Any]]]:
        data = (
            tf.data.Dataset.from_tensor_slices((images, targets)).batch(4).repeat(4).enumerate().skip(first)
        )
        data = data.map(
            lambda number, both: augment_batch(*both, augment, tf.stack([tf.constant(5, tf.int64), number])),
            num_parallel_calls=parallel,
        )
        return list(data.as_numpy_iterator())

    together = passed(0, 4)
    keras.utils.set_random_seed(11)
    alone = passed(8, 1)
    assert [len(pixels) for pixels, _ in together[:3]] == [4, 4, 2]
    for (pixels, weights), (same_pixels, same_weights) in zip(together[8:], alone, strict=True):
        np.testing.assert_array_equal(pixels, same_pixels)
        np.testing.assert_array_equal(weights, same_weights)
    assert len({weights.tobytes() for _, weights in together[::3]}) > 2


def test_without_mixtures_a_batch_is_left_alone() -> None:
    augment = Augmentation(flip=True, rand_augment=0.5)
    assert not augment.on_batches
    assert BOTH.on_batches
    images, targets = batch(3)
    pixels, weights = augment_batch(images, targets, augment, tf.constant([0, 0], tf.int64))
    assert pixels is images
    assert weights is targets
