"""The loop: the same numbers for one device, two and four, and a network that learns."""

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
from models.trainer.loop import Totals, evaluation_steps, in_calls, train_steps
from models.trainer.objective import Objective

COUNTS = (1, 2, 4)
EXACT = ("ragged", "lone", "indivisible", "accumulated", "clipped", "averaged", "class weights")
EXACT += ("regularized", "4 steps a call", "normalized", "everything")


@pytest.fixture(scope="module")
def trained(tiny_records: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Any]]:
    """What `replicas.py` found with so many devices."""
    script = Path(__file__).with_name("replicas.py")
    folders = {count: tmp_path_factory.mktemp(f"devices-{count}") for count in COUNTS}
    processes = {
        count: subprocess.Popen(
            [sys.executable, str(script), str(count), str(tiny_records), str(folder)],
            stderr=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": f"src:{script.parent.parent}", "PATH": "", "HOME": str(folder)},
        )
        for count, folder in folders.items()
    }
    try:
        for process in processes.values():
            _, said = process.communicate(timeout=600)
            assert process.returncode == 0, said
    finally:
        for process in processes.values():
            if process.poll() is None:
                process.kill()
                process.communicate()
    return {count: json.loads((folder / "found.json").read_text()) for count, folder in folders.items()}


@pytest.mark.parametrize("count", COUNTS[1:])
@pytest.mark.parametrize("case", EXACT)
def test_any_number_of_devices_trains_as_one(trained: Any, case: str, count: int) -> None:
    one, several = trained[1][case], trained[count][case]
    for what in ("losses", "weights", "norms", "judged"):
        np.testing.assert_allclose(several[what], one[what], rtol=0, atol=1e-5, err_msg=what)
    assert one["losses"][0] > one["losses"][-1]


@pytest.mark.parametrize("case", ["hierarchical copy", "xla"])
def test_two_devices_train_as_one_by_other_ways(trained: Any, case: str) -> None:
    np.testing.assert_allclose(trained[2][case]["weights"], trained[1][case]["weights"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("case", ["float16", "bfloat16 and dropout"])
def test_two_devices_train_what_differs_by_rounding_or_chance(trained: Any, case: str) -> None:
    for count in (1, 2):
        assert trained[count][case]["judged"][0] < trained[count][case]["losses"][0] * 0.8


def test_accumulation_and_steps_a_call_change_nothing(trained: Any) -> None:
    plain = trained[1]["ragged"]["weights"]
    np.testing.assert_allclose(trained[1]["accumulated"]["weights"], plain, rtol=0, atol=1e-5)
    assert trained[1]["4 steps a call"]["weights"] == plain


def test_each_case_is_another(trained: Any) -> None:
    same = {"ragged", "accumulated", "4 steps a call"}
    found = [tuple(trained[1][case]["weights"]) for case in EXACT if case not in same]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("count", COUNTS[1:])
def test_the_real_trainer_on_several_devices(trained: Any, count: int) -> None:
    np.testing.assert_allclose(trained[count]["trainer"], trained[1]["trainer"], rtol=0, atol=1e-5)


def test_one_batch_is_learnt_by_heart(small: Architecture) -> None:
    keras.utils.set_random_seed(0)
    images = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), np.uint8)
    labels = np.array([0, 1, 2, 2, 1, 0], np.int64)
    network = small.design(small.options()).build(3, 16, 0.0)
    strategy, objective = tf.distribute.get_strategy(), Objective()
    train = train_steps(strategy, network, keras.optimizers.Adam(0.01), objective)
    shares = np.full(6, 1 / 6, np.float32)
    batches = iter(tf.data.Dataset.from_tensors((images, labels, shares)).repeat())
    totals = Totals()
    for _ in range(15):
        totals = train(batches, 20, 0.0)
    assert totals.correct == totals.examples == 120
    assert totals.loss / totals.examples < 0.05
    assert evaluation_steps(strategy, network, objective)(batches, 1, 0.0).correct == 6


def test_an_epoch_in_calls() -> None:
    assert list(in_calls(10, 4)) == [4, 4, 2]
    assert list(in_calls(8, 4)) == [4, 4]
