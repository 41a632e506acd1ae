"""Shards to batches for the loop: (images, labels, shares).

- images: uint8 [batch, size, size, 3], RGB, 0…255 (features instead: float32 [batch, channels])
- labels: int64 [batch], the class's index
- shares: float32 [batch], what an image counts in the batch's mean: 1/n for n real images, 0 for padding

Every batch has the same size, a multiple of the replicas. The last is padded with its own images at a share
of zero, so the sum of loss times share is the exact mean over real images, however replicas split it, and a
normalization over the batch sees nothing but photos.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from contracts import records
from models.trainer import augmentation

SHUFFLE_RECORDS = 16_384
"""Records are shuffled as JPEG, a tenth of the memory of pixels."""
READERS = 4

_FEATURES = {
    records.ENCODED: tf.io.FixedLenFeature([], tf.string),
    records.LABEL: tf.io.FixedLenFeature([], tf.int64),
}


@dataclass(frozen=True)
class BatchSize:
    """How many images a batch has."""

    images: int
    replicas: int = 1

    @property
    def padded(self) -> int:
        """The images, rounded up so that every replica gets as many."""
        return -(-self.images // self.replicas) * self.replicas

    def steps(self, examples: int) -> int:
        """Batches in a pass over `examples`."""
        return -(-examples // self.images)


def training(
    paths: Sequence[str],
    size: int,
    batch: BatchSize,
    augment: augmentation.Augmentation,
    seed: int,
    epoch: int,
) -> Any:
    """One epoch of training images; only `seed` and `epoch` decide their order and augmentation."""
    order = seed * 1_000_003 + epoch
    data = tf.data.Dataset.from_tensor_slices(list(paths)).shuffle(len(paths), seed=order)
    data = data.interleave(tf.data.TFRecordDataset, cycle_length=READERS, num_parallel_calls=READERS)
    data = data.shuffle(SHUFFLE_RECORDS, seed=order).enumerate()
    data = data.map(_for_training(size, augment, order), num_parallel_calls=tf.data.AUTOTUNE)
    return _batched(data, batch)


def evaluation(paths: Sequence[str], size: int, batch: BatchSize) -> Any:
    """A pass over a split in the shards' order, each image's centre square."""
    data = tf.data.TFRecordDataset(list(paths))
    return _batched(data.map(_for_evaluation(size), num_parallel_calls=tf.data.AUTOTUNE), batch)


def features(values: Any, labels: Any, batch: BatchSize, seed: int | None = None) -> Any:
    """Batches of what a frozen base made of the images; shuffled where a seed is given."""
    data = tf.data.Dataset.from_tensor_slices((values, labels))
    if seed is not None:
        data = data.shuffle(len(labels), seed=seed)
    return _batched(data, batch)


def _for_training(size: int, augment: augmentation.Augmentation, order: int) -> Callable[[Any, Any], Any]:
    def prepare(number: Any, record: Any) -> tuple[Any, Any]:
        example = tf.io.parse_single_example(record, _FEATURES)
        seed = tf.stack([tf.constant(order, tf.int64), number])
        return augmentation.decode(example[records.ENCODED], size, augment, seed), example[records.LABEL]

    return prepare


def _for_evaluation(size: int) -> Callable[[Any], Any]:
    def prepare(record: Any) -> tuple[Any, Any]:
        example = tf.io.parse_single_example(record, _FEATURES)
        return augmentation.decode_centre(example[records.ENCODED], size), example[records.LABEL]

    return prepare


def _batched(data: Any, batch: BatchSize) -> Any:
    def pad(values: Any, labels: Any) -> tuple[Any, Any, Any]:
        real = tf.shape(labels)[0]
        place = tf.range(batch.padded)
        chosen = place % real
        shares = tf.where(place < real, 1.0 / tf.cast(real, tf.float32), 0.0)
        return tf.gather(values, chosen), tf.gather(labels, chosen), shares

    return data.batch(batch.images).map(pad).prefetch(tf.data.AUTOTUNE)
