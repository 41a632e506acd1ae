"""Batches: what is in them, and that neither hosts, replicas nor an interruption change it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import imaging
from contracts.bundle import ImageSpec
from models.trainer.augmentation import Augmentation
from models.trainer.examples import read_examples
from models.trainer.feature_batches import FeatureBatches
from models.trainer.input_pipeline import (
    Batches,
    Epoch,
    Pixels,
    SplitShards,
    evaluation,
    training,
    training_steps,
)

Batch = tuple[Any, Any, Any]

PIXELS = Pixels(24, 32, 3)
WILD = Augmentation(flip=True, crop_scale=0.5)
MIXED = Augmentation(crop_scale=0.8, mixup=0.4)

SIZES = {"examples": st.integers(1, 40), "images": st.integers(1, 17)}
CUT = {"replicas": st.integers(1, 3), "accumulate": st.integers(1, 2)}


@pytest.fixture(scope="module")
def split(tiny_records: Path, tmp_path_factory: pytest.TempPathFactory) -> SplitShards:
    """The tiny training split in four shards."""
    folder, counts = tmp_path_factory.mktemp("shards"), (25, 20, 10, 5)
    records = tf.data.TFRecordDataset(str(tiny_records / "train-00000-of-00001.tfrecord")).as_numpy_iterator()
    paths = [str(folder / f"{number}.tfrecord") for number in range(len(counts))]
    for path, count in zip(paths, counts, strict=True):
        with tf.io.TFRecordWriter(path) as writer:
            for _ in range(count):
                writer.write(next(records))
    return SplitShards(tuple(paths), counts)


def read(data: Any) -> list[Batch]:
    return list(data.as_numpy_iterator())


def equal(one: list[Batch], other: list[Batch]) -> bool:
    return len(one) == len(other) and all(
        np.array_equal(mine, theirs)
        for ours, others in zip(one, other, strict=True)
        for mine, theirs in zip(ours, others, strict=True)
    )


def table(examples: int) -> tuple[Any, Any]:
    return np.arange(examples, dtype=np.float32)[:, None], np.arange(examples)


def global_batches(parts: list[Batch], replicas: int) -> Iterator[Batch]:
    """A host's parts, put together again."""
    for first in range(0, len(parts), replicas):
        yield tuple(np.concatenate(values) for values in zip(*parts[first : first + replicas], strict=True))


def test_evaluation_sees_what_the_server_sees(split: SplitShards) -> None:
    for size in (32, 24, 48):
        spec = ImageSpec(size=size, record_size=32, resize="shorter-side")
        examples = list(read_examples(split.paths))
        images, labels, shares = read(evaluation(split, Pixels(size, 32, 3), Batches(60)))[0]
        expected = np.stack([imaging.prepare(one.encoded, spec) for one in examples])
        if size <= 32:
            np.testing.assert_array_equal(images, expected)
        else:  # enlarged by another library
            assert np.abs(images.astype(float) - expected).mean() < 2
        assert labels.tolist() == [one.label for one in examples]
        assert images.dtype == np.uint8
        np.testing.assert_allclose(shares.sum(), 1)


def test_an_epoch_has_each_image_once_in_an_order_of_its_own(split: SplitShards) -> None:
    def order(seed: int, number: int, augment: Augmentation) -> list[bytes]:
        epoch = Epoch(seed, number, augment, shuffle_buffer=50)
        found = read(training(split, PIXELS, Batches(16), epoch))
        return [image.tobytes() for images, _, shares in found for image in images[shares > 0]]

    plain = Augmentation()
    whole = [image.tobytes() for image in read(evaluation(split, PIXELS, Batches(60)))[0][0]]
    assert sorted(order(0, 1, plain)) == sorted(whole)
    orders = [order(*which, plain) for which in ((0, 1), (0, 2), (1, 1))] + [whole]
    assert len({tuple(one) for one in orders}) == 4
    assert order(0, 1, WILD) == order(0, 1, WILD)
    assert len(set(order(0, 1, WILD)) | set(order(0, 2, WILD)) | set(order(1, 1, WILD))) == 180


def features(examples: int, batches: Batches, epoch: Epoch | None = None) -> Any:
    made = FeatureBatches(*table(examples), batches)
    return made.shuffled(epoch) if epoch else made.in_order()


@settings(max_examples=20, deadline=None)
@given(**SIZES, **CUT)
def test_batches_are_of_one_size_and_shares_are_exact(
    examples: int, images: int, replicas: int, accumulate: int
) -> None:
    batches = Batches(images, replicas, accumulate)
    made = read(features(examples, batches))
    assert len(made) == batches.steps(examples) * replicas
    assert {len(labels) for _, labels, _ in made} == {batches.of_replica}
    assert batches.of_replica % accumulate == 0
    for number, (values, labels, shares) in enumerate(global_batches(made, replicas)):
        real = list(range(number * images, min((number + 1) * images, examples)))
        assert labels[shares > 0].tolist() == real
        assert set(labels) == set(real), "padded with the batch's own images"
        assert values[:, 0].tolist() == labels.tolist()
        np.testing.assert_allclose(shares[shares > 0], 1 / len(real))


@settings(max_examples=15, deadline=None)
@given(**SIZES, **CUT, done=st.integers(0, 8), seed=st.integers(0, 3))
def test_features_go_on_in_the_middle(
    examples: int, images: int, replicas: int, accumulate: int, done: int, seed: int
) -> None:
    batches = Batches(images, replicas, accumulate)
    epochs = [Epoch(seed, 5, Augmentation(), done=behind) for behind in (0, done)]
    whole, rest = (read(features(examples, batches, epoch)) for epoch in epochs)
    assert equal(rest, whole[done * replicas :])
    assert sorted(label for _, labels, shares in whole for label in labels[shares > 0]) == list(
        range(examples)
    )


@settings(max_examples=6, deadline=None)
@given(
    images=st.integers(4, 17),
    hosts=st.integers(1, 2),
    local=st.integers(1, 2),
    done=st.integers(1, 4),
    augment=st.sampled_from([WILD, MIXED]),
    own_files=st.booleans(),
)
def test_training_goes_on_in_the_middle(
    split: SplitShards, images: int, hosts: int, local: int, done: int, augment: Augmentation, own_files: bool
) -> None:
    images *= hosts
    for host in range(hosts):
        batches = Batches(images, local * hosts, 1, hosts, host)
        epochs = [Epoch(1, 2, augment, 20, behind, own_files) for behind in (0, done)]
        whole, rest = (read(training(split, PIXELS, batches, epoch)) for epoch in epochs)
        assert len(whole) == training_steps(split, batches, own_files=own_files) * local
        assert equal(rest, whole[done * local :])


@settings(max_examples=4, deadline=None)
@given(images=st.integers(1, 17), hosts=st.integers(1, 3), local=st.integers(1, 2))
def test_hosts_have_the_parts_of_one_hosts_batches(
    split: SplitShards, images: int, hosts: int, local: int
) -> None:
    epoch, replicas = Epoch(0, 1, WILD, 20), local * hosts

    def parts(hosts: int, host: int) -> tuple[list[Batch], ...]:
        batches = Batches(images, replicas, 1, hosts, host)
        return (
            read(training(split, PIXELS, batches, epoch)),
            read(evaluation(split, PIXELS, batches)),
            read(features(21, batches, epoch)),
        )

    alone, together = parts(1, 0), [parts(hosts, host) for host in range(hosts)]
    for kind, whole in enumerate(alone):
        dealt = [
            part
            for step in range(len(whole) // replicas)
            for host in range(hosts)
            for part in together[host][kind][step * local : (step + 1) * local]
        ]
        assert equal(dealt, whole)


@settings(max_examples=4, deadline=None)
@given(images=st.integers(1, 9), hosts=st.integers(1, 4), local=st.integers(1, 2))
def test_hosts_that_read_their_own_files_see_each_image_once(
    split: SplitShards, images: int, hosts: int, local: int
) -> None:
    images *= hosts
    cut = [Batches(images, local * hosts, 1, hosts, host) for host in range(hosts)]
    epoch = Epoch(0, 1, Augmentation(), 20, own_files=True)
    dealt = [list(global_batches(read(training(split, PIXELS, one, epoch)), local)) for one in cut]
    assert {len(batches) for batches in dealt} == {training_steps(split, cut[0], own_files=True)}
    for parts in zip(*dealt, strict=True):
        np.testing.assert_allclose(sum(shares.sum() for _, _, shares in parts), 1, rtol=1e-5)
        assert len({share for _, _, shares in parts for share in shares[shares > 0]}) == 1
    seen = [image.tobytes() for batches in dealt for one in batches for image in one[0][one[2] > 0]]
    whole = read(evaluation(split, PIXELS, Batches(60)))[0][0]
    assert sorted(seen) == sorted(image.tobytes() for image in whole)


def test_a_shards_view_is_its_part_of_the_splits(split: SplitShards) -> None:
    epoch = Epoch(0, 1, WILD)
    whole = read(evaluation(split, PIXELS, Batches(60), epoch))[0][0]
    second = SplitShards(split.paths[1:2], split.counts[1:2])
    part = read(evaluation(second, PIXELS, Batches(20), epoch, first=25))[0][0]
    np.testing.assert_array_equal(part, whole[25:45])
