"""A frozen base's features: the same in memory and in files, found again, and forgotten."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.training_runs import left
from contracts.bundle import ModelBundle
from models.trainer import features as module
from models.trainer.architecture import Architecture
from models.trainer.augmentation import Augmentation
from models.trainer.features import Features, FrozenBase, fit_into_memory, forget
from models.trainer.input_pipeline import Batches, Epoch, Pixels, SplitShards

VIEW = Epoch(0, 1, Augmentation(flip=True, crop_scale=0.5))


@pytest.fixture(scope="module")
def split(tiny_records: Path, tmp_path_factory: pytest.TempPathFactory) -> SplitShards:
    """The tiny training split in three shards."""
    folder, counts = tmp_path_factory.mktemp("shards"), (25, 22, 13)
    records = tf.data.TFRecordDataset(str(tiny_records / "train-00000-of-00001.tfrecord")).as_numpy_iterator()
    paths = [str(folder / f"train-{number}.tfrecord") for number in range(len(counts))]
    for path, count in zip(paths, counts, strict=True):
        with tf.io.TFRecordWriter(path) as writer:
            for _ in range(count):
                writer.write(next(records))
    return SplitShards(tuple(paths), counts)


@pytest.fixture
def base(small: Architecture) -> FrozenBase:
    keras.utils.set_random_seed(0)
    network = small.design(small.options()).build(3, 32, 0.0)
    network = keras.Model(network.input, network.get_layer("features").output)
    return FrozenBase(network, "float32", tf.distribute.get_strategy(), Pixels(32, 32, 3), Batches(16))


@pytest.mark.parametrize("view", [None, VIEW])
def test_files_hold_what_memory_would(
    base: FrozenBase, split: SplitShards, tmp_path: Path, view: Epoch | None
) -> None:
    kept, labels = base.features(split, view, None)
    filed, same = base.features(split, view, tmp_path)
    assert kept.shape == filed.shape == (60, 16)
    rows = np.array([59, 0, 24, 25, 46, 47, 24])
    np.testing.assert_array_equal(filed[rows], kept[rows])
    np.testing.assert_array_equal(filed[np.arange(60)], kept[np.arange(60)])
    assert labels.tolist() == same.tolist() == [number % 3 for number in range(60)]
    pixels = keras.ops.convert_to_tensor(kept[np.arange(60)])
    assert len(np.unique(np.round(pixels, 5), axis=0)) == 60


def test_what_a_killed_process_filed_is_found_again(
    base: FrozenBase, split: SplitShards, tmp_path: Path
) -> None:
    whole, _ = base.features(split, VIEW, tmp_path)
    expected = whole[np.arange(60)]
    (tmp_path / "train-1-view1.features.npy").unlink()
    (tmp_path / "train-2-view1.labels.npy").unlink()
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again, labels = base.features(split, VIEW, tmp_path)
    np.testing.assert_array_equal(again[np.arange(60)], expected)
    assert labels.tolist() == [number % 3 for number in range(60)]
    after = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert all(after[name] == before[name] for name in before if name.startswith("train-0"))
    forget(tmp_path)
    assert not tmp_path.exists()
    forget(tmp_path)


def test_rows_of_several_tables() -> None:
    tables = [np.full((count, 2), number, np.float32) for number, count in enumerate((3, 0, 2))]
    found = Features(tables)
    assert found.shape == (5, 2)
    assert found[np.array([4, 2, 0, 3])][:, 0].tolist() == [2, 0, 0, 2]


def test_a_quarter_of_the_memory_is_theirs() -> None:
    assert fit_into_memory(1 << 20)
    assert not fit_into_memory(1 << 60)


def test_a_run_with_features_in_files_learns_the_same_and_leaves_none(
    train: Callable[..., ModelBundle], tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {"weights": str(tiny_bundle), "head_epochs": 3, "fine_tune_from": "none"}
    settings |= {"feature_views": 2, "flip": True, "cache": str(tmp_path / "cache")}
    train(tmp_path / "memory", **settings)
    monkeypatch.setattr(module, "MEMORY_SHARE", 0.0)
    assert not (tmp_path / "cache").exists()
    train(tmp_path / "files", **settings)
    assert left(tmp_path / "files") == left(tmp_path / "memory")
    assert list((tmp_path / "cache" / "features").iterdir()) == []
