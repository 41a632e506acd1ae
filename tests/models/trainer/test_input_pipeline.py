"""Shards to batches: each image once, in an order that only seed and epoch decide, with exact shares."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imaging
from contracts.bundle import ImageSpec
from models.trainer.augmentation import Augmentation
from models.trainer.examples import read_examples
from models.trainer.input_pipeline import BatchSize, evaluation, features, training

PLAIN = Augmentation(flip=False, crop_scale=1.0)
WILD = Augmentation(flip=True, crop_scale=0.5)


@pytest.fixture(scope="module")
def shard(tiny_records: Path) -> str:
    return str(tiny_records / "train-00000-of-00001.tfrecord")


def batches(data: Any) -> list[tuple[Any, Any, Any]]:
    return list(data.as_numpy_iterator())


def test_evaluation_sees_what_the_server_sees(shard: str) -> None:
    for size in (32, 24):
        spec = ImageSpec(size=size, record_size=32, resize="shorter-side")
        examples = list(read_examples([shard]))
        images, labels, shares = batches(evaluation([shard], size, BatchSize(len(examples))))[0]
        np.testing.assert_array_equal(images, [imaging.prepare(one.encoded, spec) for one in examples])
        assert labels.tolist() == [one.label for one in examples]
        assert images.dtype == np.uint8
        np.testing.assert_allclose(shares.sum(), 1)


def test_an_epoch_has_each_image_once(shard: str) -> None:
    (whole, _, _), *_ = batches(evaluation([shard], 32, BatchSize(60)))
    seen = [
        image.tobytes()
        for images, _, shares in batches(training([shard], 32, BatchSize(16), PLAIN, 0, 0))
        for image in images[shares > 0]
    ]
    assert sorted(seen) == sorted(image.tobytes() for image in whole)
    assert seen != [image.tobytes() for image in whole]


def test_only_seed_and_epoch_decide(shard: str) -> None:
    def epoch(seed: int, number: int) -> bytes:
        data = training([shard], 24, BatchSize(16), WILD, seed, number)
        return b"".join(images.tobytes() for images, _, _ in batches(data))

    assert epoch(0, 1) == epoch(0, 1)
    assert len({epoch(0, 1), epoch(0, 2), epoch(1, 1)}) == 3


@settings(max_examples=30, deadline=None)
@given(examples=st.integers(1, 40), batch=st.integers(1, 17), replicas=st.integers(1, 4))
def test_batches_are_of_one_size_and_shares_are_exact(examples: int, batch: int, replicas: int) -> None:
    size = BatchSize(batch, replicas)
    values = np.arange(examples, dtype=np.float32)[:, None]
    made = batches(features(values, np.arange(examples), size))
    assert len(made) == size.steps(examples)
    assert {len(labels) for _, labels, _ in made} == {size.padded}
    assert size.padded % replicas == 0
    assert sorted(label for _, labels, shares in made for label in labels[shares > 0]) == list(
        range(examples)
    )
    for _, labels, shares in made:
        np.testing.assert_allclose(shares.sum(), 1, rtol=1e-5)
        assert set(labels) == set(labels[shares > 0]), "padded with the batch's own images"
