"""The loop: the same numbers for one device and two, and a network that learns."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.trainer.architecture import Architecture
from models.trainer.input_pipeline import BatchSize, features
from models.trainer.loop import Totals, evaluation_steps, in_calls, train_steps


@pytest.fixture(scope="module")
def two_devices(tiny_records: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `two_devices.py` found: TensorFlow's devices are set once a process, so it is one of its own."""
    script = Path(__file__).with_name("two_devices.py")
    result = subprocess.run(
        [sys.executable, str(script), str(tiny_records), str(tmp_path_factory.mktemp("runs"))],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": f"src:{script.parent.parent}", "PATH": ""},
    )
    assert result.returncode == 0, result.stderr
    return dict(json.loads(result.stdout.splitlines()[-1]))


@pytest.mark.parametrize("case", ["ragged", "lone", "odd batch", "clipped", "regularized", "4 steps a call"])
def test_two_devices_train_as_one(two_devices: dict[str, Any], case: str) -> None:
    one, two = two_devices[case]
    np.testing.assert_allclose(two["losses"], one["losses"], rtol=1e-5)
    np.testing.assert_allclose(two["weights"], one["weights"], rtol=1e-5, atol=1e-6)
    assert one["losses"][0] != one["losses"][-1]


def test_steps_a_call_change_nothing(two_devices: dict[str, Any]) -> None:
    assert two_devices["4 steps a call"][0]["weights"] == two_devices["ragged"][0]["weights"]


@pytest.mark.parametrize("case", ["float16", "bfloat16", "dropout and batch normalization"])
def test_two_devices_train_what_differs_by_rounding_or_chance(two_devices: dict[str, Any], case: str) -> None:
    for device in two_devices[case]:
        assert device["losses"][-1] < device["losses"][0]


def test_the_real_trainer_on_two_devices(two_devices: dict[str, Any]) -> None:
    one, two = two_devices["trainer"]
    for name in ("loss", "val_loss", "accuracy", "val_accuracy"):
        np.testing.assert_allclose([row[name] for row in two], [row[name] for row in one], rtol=1e-5)


def test_one_batch_is_learnt_by_heart(small: Architecture) -> None:
    keras.utils.set_random_seed(0)
    images = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), np.uint8)
    labels = np.array([0, 1, 2, 2, 1, 0], np.int64)
    network = small.build(3, 16, 0.0)
    strategy = tf.distribute.get_strategy()
    train = train_steps(strategy, network, keras.optimizers.Adam(0.01))
    batches = iter(features(images, labels, BatchSize(6)).repeat())
    totals = Totals()
    for _ in range(15):
        totals = train(batches, 20)
    assert totals.correct == totals.examples == 120
    assert totals.loss / totals.examples < 0.05
    assert evaluation_steps(strategy, network)(batches, 1).correct == 6


def test_an_epoch_in_calls() -> None:
    assert list(in_calls(10, 4)) == [4, 4, 2]
    assert list(in_calls(8, 4)) == [4, 4]
