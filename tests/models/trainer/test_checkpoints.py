"""Checkpoints: what goes in comes out, and a damaged file is noticed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from contracts.errors import StageError
from models.trainer.checkpoints import Checkpoints, Progress, restore

ROW = {"epoch": 1, "loss": 1.0, "learning_rate": 1e-05}


Save = Callable[..., Checkpoints]


@pytest.fixture(scope="module")
def trained() -> tuple[Any, Any]:
    """A network and its optimizer."""
    network = keras.Sequential([keras.Input([2]), keras.layers.Dense(3), keras.layers.Dropout(0.5)])
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    optimizer.build(network.trainable_variables)
    return network, optimizer


@pytest.fixture
def save(tmp_path: Path, trained: tuple[Any, Any]) -> Save:
    """Save a state at each of some steps."""

    def run(*steps: int, run: str = "one", keep: int = 2) -> Checkpoints:
        checkpoints = Checkpoints(str(tmp_path), run, keep)
        for number in steps:
            progress = Progress(run=run, epoch=1, steps=number, best=ROW, history=(ROW,))
            checkpoints.save_state(progress, *trained)
        return checkpoints

    return run


def steps(checkpoints: Checkpoints) -> int | None:
    found = checkpoints.load_state()
    return found and found.progress.steps


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_goes_in_comes_out(save: Save, trained: tuple[Any, Any]) -> None:
    found = save(1).load_state()
    assert found is not None
    assert [repr(row) for row in found.progress.history] == [repr(ROW)], "whole numbers stay whole"
    for values, source in zip((found.network, found.optimizer), trained, strict=True):
        for mine, theirs in zip(values, source.variables, strict=True):
            np.testing.assert_array_equal(mine, theirs.numpy(), strict=True)


def test_the_newest_are_kept(save: Save, tmp_path: Path) -> None:
    assert steps(save(8, 16, 24, keep=2)) == 24
    assert names(tmp_path) == ["state-000000016.npz", "state-000000024.npz"]


def test_another_runs_states_are_passed_over_and_replaced(save: Save, tmp_path: Path) -> None:
    save(8, 16, run="another")
    assert steps(save()) is None
    assert steps(save(3)) == 3
    assert names(tmp_path) == ["state-000000003.npz"]


def test_a_damaged_state_is_passed_over_and_replaced(
    save: Save, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoints = save(8, 16, 24, keep=3)
    newest = tmp_path / "state-000000024.npz"
    whole = newest.read_bytes()
    for size in (0, 2, 100, len(whole) - 1):
        newest.write_bytes(whole[:size])
        assert steps(checkpoints) == 16, size
    for position in range(len(whole)):
        newest.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        assert steps(checkpoints) == 16, position
    assert f"the checkpoint {newest} can't be used (damaged" in capsys.readouterr().err
    assert steps(save(17, keep=3)) == 17
    assert names(tmp_path) == [f"state-0000000{number}.npz" for number in ("08", "16", "17")]


def test_nothing_but_damage_is_one_line(save: Save, tmp_path: Path) -> None:
    checkpoints = save(8, 16)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StageError, match=r"^the checkpoint \S+ can't be used .*delete .*state-\*\.npz"):
        checkpoints.load_state()


def test_the_best_is_there_or_that_is_said(save: Save, tmp_path: Path, trained: tuple[Any, Any]) -> None:
    checkpoints = save()
    with pytest.raises(StageError, match="the best epoch is gone"):
        checkpoints.load_best()
    checkpoints.save_best(Progress(run="one", best=ROW), trained[0])
    assert checkpoints.load_best().progress.best == ROW
    with pytest.raises(StageError, match="the best epoch is gone"):
        save(run="another").load_best()
    (tmp_path / "best.npz").write_bytes(b"")
    with pytest.raises(StageError, match=r"can't be used \(damaged"):
        checkpoints.load_best()


def test_another_networks_values_are_refused(trained: tuple[Any, Any]) -> None:
    with pytest.raises(StageError, match="of another network"):
        restore(trained[0], [np.ones(3)])
