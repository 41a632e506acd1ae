"""A classifier on features judges each image without having seen it, whatever the classes' sizes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from contracts import records
from contracts.bundle import ImageSpec
from imaging import encode_jpeg
from models.trainer.evaluation import held_out
from models.trainer.evaluation.held_out import FEWEST, cross_validated, held_out_predictions

IMAGE = ImageSpec(size=8, record_size=8, resize="shorter-side")


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(FEWEST, 12), min_size=2, max_size=30),
    components=st.integers(1, 40),
    seed=st.integers(0, 9),
)
def test_every_row_gets_a_distribution(sizes: list[int], components: int, seed: int) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes) * 2  # every other class has no image
    table = np.random.default_rng(seed).normal(0, 1, (len(labels), components)).astype(np.float32)
    probabilities = cross_validated(table, labels, 2 * len(sizes), seed)
    assert probabilities.shape == (len(labels), 2 * len(sizes))
    assert np.isfinite(probabilities).all()
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert not probabilities[:, 1::2].any()


def test_a_wrong_label_does_not_vouch_for_itself() -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(300) % 3
    table = (rng.normal(0, 1, (300, 20)) + 8 * np.eye(20)[truth]).astype(np.float32)
    labels = truth.copy()
    labels[::20] = (labels[::20] + 1) % 3
    probabilities = cross_validated(table, labels, 3, 0)
    assert (probabilities.argmax(axis=1) == truth).all()


def write_shard(path: Path, filenames: Sequence[str], labels: Sequence[int], *, grey: bool = False) -> str:
    rng = np.random.default_rng(0)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for filename, label in zip(filenames, labels, strict=True):
            pixels = rng.integers(0, 255, (8, 8, 3), np.uint8)
            example = tf.train.Example()
            features = example.features.feature
            encoded = encode_jpeg(Image.fromarray(pixels // 255 + 99 if grey else pixels), 90)
            features[records.ENCODED].bytes_list.value.append(encoded)
            features[records.FILENAME].bytes_list.value.append(filename.encode())
            features[records.LABEL].int64_list.value.append(label)
            writer.write(example.SerializeToString())
    return str(path)


def network(channels: int = 12) -> Any:
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    x = keras.layers.Dense(channels, name="features")(x)
    return keras.Model(image, keras.layers.Dense(4)(x))


def test_rare_classes_and_augmented_copies_are_left_out(tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(20)]
    labels = [0] * 9 + [1] * 8 + [2] * 2 + [3]
    shard = write_shard(tmp_path / "shard", [*names, "3.png#1", "3.png#12"], [*labels, 0, 0])
    found = held_out_predictions(network(), "features", [shard], IMAGE, 4, most=100, seed=0)
    assert sorted(found.filenames) == sorted(names[:17])
    assert found.probabilities.shape == (17, 4)
    assert not found.probabilities[:, 2:].any()


@pytest.mark.parametrize(
    ("labels", "grey"),
    [([0] * 10, False), ([0] * 10 + [1, 2], False), ([0, 1, 2, 3], False), ([0] * 5 + [1] * 5, True)],
    ids=["one class", "one class and rare ones", "rare ones", "images that are all the same"],
)
def test_nothing_is_judged_that_can_not_be_told_apart(tmp_path: Path, labels: list[int], grey: bool) -> None:
    shard = write_shard(tmp_path / "shard", [str(n) for n in range(len(labels))], labels, grey=grey)
    found = held_out_predictions(network(), "features", [shard], IMAGE, 4, most=100, seed=0)
    assert (len(found.filenames), found.labels.shape, found.probabilities.shape) == (0, (0,), (0, 4))


def test_of_a_large_split_some_shards_are_examined_and_wide_features_are_projected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_out, "WIDEST", 64)
    shards = [
        write_shard(
            tmp_path / f"{shard}", [f"{shard}-{n}.png" for n in range(40)], [n % 4 for n in range(40)]
        )
        for shard in range(6)
    ]
    found = held_out_predictions(network(200), "features", shards, IMAGE, 4, most=90, seed=0)
    examined = [filename.split("-")[0] for filename in found.filenames]
    assert sorted(examined.count(shard) for shard in set(examined)) == [10, 40, 40]
    assert np.isfinite(found.probabilities).all()
    other = held_out_predictions(network(200), "features", shards, IMAGE, 4, most=90, seed=1)
    assert other.filenames != found.filenames
