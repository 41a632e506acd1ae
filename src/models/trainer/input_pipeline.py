"""Shards to batches for the loop: (images, labels, shares), each a replica's part of a global batch.

- images: uint8 [replica's images, size, size, 3], RGB, 0…255
- labels: int64 [..], the class's index; float32 [.., classes] where augmentation mixes images
- shares: float32 [..], what an image counts in the global batch's mean: 1/n for n real images, 0 for padding

Every batch has the same size, a multiple of the replicas and of the parts in which they compute it. The last
is padded with its own images at a share of zero, so the sum of loss times share is the exact mean over real
images, however replicas split it, and a normalization over the batch sees nothing but photos.

What is drawn, shuffled and augmented follows from the seed, the epoch and an image's number in the epoch:
not from the replicas, the hosts, the threads, or the batch at which an interrupted epoch goes on. Only mixup
and cutmix stay within a host, which sees no more than its part; and hosts that read files of their own make
other batches than one host would.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from contracts import records
from models.trainer.augmentation import Augmentation, decode, decode_centre
from models.trainer.batch_augmentation import augment_batch

READERS = 4
READ_BYTES = 8 << 20
"""At once from a shard: buckets and their mounts answer slowly, then give much."""

READ_AHEAD = 2
"""Batches."""

_FEATURES = {
    records.ENCODED: tf.io.FixedLenFeature([], tf.string),
    records.LABEL: tf.io.FixedLenFeature([], tf.int64),
}


@dataclass(frozen=True)
class Batches:
    """How a global batch is cut: over hosts, over a host's replicas, and into the parts of each."""

    images: int
    """Of a global batch."""
    replicas: int = 1
    """Of all hosts together; each has as many."""
    accumulate: int = 1
    hosts: int = 1
    host: int = 0

    @property
    def host_replicas(self) -> int:
        """The replicas of one host."""
        return self.replicas // self.hosts

    @property
    def of_replica(self) -> int:
        """The images of a replica, padding included."""
        return -(-self.images // (self.replicas * self.accumulate)) * self.accumulate

    @property
    def of_host(self) -> int:
        """The images of a host, padding included."""
        return self.of_replica * self.host_replicas

    def steps(self, examples: int) -> int:
        """Batches in a pass over `examples`."""
        return -(-examples // self.images)


@dataclass(frozen=True)
class SplitShards:
    """A split's shards: paths or URIs that TensorFlow can read, and how many examples each holds."""

    paths: tuple[str, ...]
    counts: tuple[int, ...]

    @property
    def examples(self) -> int:
        """Of all shards."""
        return sum(self.counts)

    def of_host(self, batches: Batches) -> "SplitShards":
        """The shards that a host reads where each reads its own."""
        return SplitShards(
            self.paths[batches.host :: batches.hosts], self.counts[batches.host :: batches.hosts]
        )


@dataclass(frozen=True)
class Pixels:
    """How records become a network's input."""

    size: int
    """Pixels; the side of the square input."""
    record_size: int
    """Pixels; the shorter side of a record."""
    classes: int


@dataclass(frozen=True)
class Epoch:
    """What decides an epoch's order and augmentation, and where in it to begin."""

    seed: int
    number: int
    augment: Augmentation
    shuffle_buffer: int = 16_384
    """Entries; each holds a record's bytes."""
    done: int = 0
    """Batches that an interrupted epoch has behind it."""
    own_files: bool = False
    """Every host reads shards of its own, rather than its part of batches that don't depend on the hosts."""

    @property
    def order(self) -> int:
        """One seed for the epoch."""
        return self.seed * 1_000_003 + self.number


def untuned() -> Any:
    """Options without tf.data's tuning in the background.

    In TensorFlow 2.21 the end of a tuned iterator may miss its thread asleep, and waits until that wakes by
    itself: for as long as a third of the epoch that is over.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return options


def _cores() -> int:
    """Of the machine, that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """Keep AutoGraph from it, which takes longer to look through a function than to trace it, every epoch."""
    return tf.autograph.experimental.do_not_convert(function)  # type: ignore[no-any-return]


def training(split: SplitShards, pixels: Pixels, batches: Batches, epoch: Epoch) -> Any:
    """The rest of an epoch of training images, shuffled and augmented."""
    if epoch.own_files:
        data = _own_parts(_read_shuffled(split.of_host(batches), epoch).repeat(), split, batches)
    else:
        data = _parts(_read_shuffled(split, epoch), batches)
    return _prepared(data.skip(epoch.done), pixels, batches, epoch)


def training_steps(split: SplitShards, batches: Batches, *, own_files: bool = False) -> int:
    """Batches in an epoch of `training`."""
    if own_files:
        return -(-max(_examples_of_hosts(split, batches)) // (batches.images // batches.hosts))
    return batches.steps(split.examples)


def evaluation(
    split: SplitShards, pixels: Pixels, batches: Batches, view: Epoch | None = None, first: int = 0
) -> Any:
    """A pass over a split in the shards' order: each image's centre square, or a view as training has it.

    Where the split is a part of another, `first` is the number that its first image has there: views follow
    from an image's number.
    """
    data = _parts(tf.data.TFRecordDataset(list(split.paths), buffer_size=READ_BYTES), batches, first)
    return _prepared(data, pixels, batches, view)


def _prepared(data: Any, pixels: Pixels, batches: Batches, epoch: Epoch | None) -> Any:
    """(records, their numbers, their shares) to batches of images."""

    @plain
    def prepare(record: Any, number: Any, share: Any) -> tuple[Any, Any, Any]:
        example = tf.io.parse_single_example(record, _FEATURES)
        encoded, label = example[records.ENCODED], example[records.LABEL]
        if epoch is None:
            return decode_centre(encoded, pixels.size, pixels.record_size), label, share
        seed = tf.stack([tf.constant(epoch.order, tf.int64), number])
        return decode(encoded, pixels.size, epoch.augment, seed, pixels.record_size), label, share

    data = data.unbatch().map(prepare, num_parallel_calls=_cores())
    data = data.batch(batches.of_host, drop_remainder=True)
    if epoch and epoch.augment.on_batches:
        data = _mixed(data, pixels.classes, batches, epoch)
    return for_replicas(data, batches).prefetch(READ_AHEAD).with_options(untuned())


def _mixed(data: Any, classes: int, batches: Batches, epoch: Epoch) -> Any:
    """Augmentations of whole batches, before the replicas take their parts."""

    @plain
    def mix(number: Any, batch: Any) -> tuple[Any, Any, Any]:
        images, labels, shares = batch
        draw = number * batches.hosts + batches.host
        seed = tf.stack([tf.constant(epoch.order, tf.int64), draw])
        return (*augment_batch(images, tf.one_hot(labels, classes), epoch.augment, seed), shares)

    return data.enumerate(epoch.done).map(mix, num_parallel_calls=_cores())


def _read_shuffled(split: SplitShards, epoch: Epoch) -> Any:
    data = tf.data.Dataset.from_tensor_slices(list(split.paths))
    data = data.shuffle(len(split.paths), seed=epoch.order)
    data = data.interleave(
        lambda path: tf.data.TFRecordDataset(path, buffer_size=READ_BYTES),
        cycle_length=READERS,
        num_parallel_calls=READERS,
    )
    return data.shuffle(epoch.shuffle_buffer, seed=epoch.order)


def _parts(data: Any, batches: Batches, first: int = 0) -> Any:
    """Elements to this host's part of each global batch: (elements, their numbers, their shares)."""
    begin = batches.host * batches.of_host
    place = tf.range(begin, begin + batches.of_host, dtype=tf.int64)

    @plain
    def part(batch: Any, elements: Any) -> tuple[Any, Any, Any]:
        real = tf.shape(elements, tf.int64)[0]
        chosen = place % real
        shares = tf.where(place < real, 1.0 / tf.cast(real, tf.float32), 0.0)
        return tf.gather(elements, chosen), first + batch * batches.images + chosen, shares

    return data.batch(batches.images).enumerate().map(part)


def _own_parts(data: Any, split: SplitShards, batches: Batches) -> Any:
    """A host's own elements, again and again, to its part of each global batch; repeated ones count 0."""
    mine = batches.images // batches.hosts
    counts = _examples_of_hosts(split, batches)
    place = tf.range(batches.of_host, dtype=tf.int64)

    @plain
    def part(batch: Any, elements: Any) -> tuple[Any, Any, Any]:
        left = tf.clip_by_value(tf.constant(counts, tf.int64) - batch * mine, 0, mine)
        real = tf.reduce_sum(left)
        numbers = batch * mine + place % mine
        shares = tf.where(place < left[batches.host], 1.0 / tf.cast(real, tf.float32), 0.0)
        return tf.gather(elements, place % mine), numbers * batches.hosts + batches.host, shares

    steps = training_steps(split, batches, own_files=True)
    return data.batch(mine, drop_remainder=True).enumerate().map(part).take(steps)


def _examples_of_hosts(split: SplitShards, batches: Batches) -> list[int]:
    return [sum(split.counts[host :: batches.hosts]) for host in range(batches.hosts)]


def for_replicas(data: Any, batches: Batches) -> Any:
    """A host's batches, one behind the other for each of its replicas."""
    if batches.host_replicas > 1:

        @plain
        def split(*part: Any) -> tuple[Any, ...]:
            shape = [batches.host_replicas, batches.of_replica]
            return tuple(tf.reshape(values, [*shape, *values.shape[1:]]) for values in part)

        data = data.map(split).unbatch()
    return data
