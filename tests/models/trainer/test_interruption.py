"""A run that is stopped anywhere and started again comes to what an undisturbed one comes to, bit for bit."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.training_runs import left, progress, states
from contracts.bundle import ModelBundle
from contracts.console import Terminated
from models.trainer.interruption import Interruption

Train = Callable[..., ModelBundle]

TWO_PHASES: dict[str, Any] = {
    "head_epochs": 2,
    "head_learning_rate": 0.01,
    "learning_rate": 0.05,
    "batch_size": 8,
    "dropout": 0.2,
    "ema": 0.9,
    "mixup": 0.3,
    "flip": True,
    "early_stopping": 3,
}
"""8 steps an epoch; the head's end with the 16th, the fine-tuning's with the 32nd."""

EVERY_STEP = {"save_every": 1e-9}


UNDISTURBED = ["", 0, []]


def start(
    data: Path, output: Path, settings: dict[str, Any], moment: list[Any]
) -> subprocess.CompletedProcess[str]:
    """Train in a process of its own until `moment` (see train_stopped.py)."""
    script = Path(__file__).with_name("train_stopped.py")
    return subprocess.run(
        [sys.executable, str(script), str(data), str(output), json.dumps(settings), json.dumps(moment)],
        env={"PYTHONPATH": f"src:{script.parent.parent}", "PATH": "", "HOME": str(output.parent)},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def whole(
    tiny_records: Path, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """An undisturbed run in two phases that keeps every state, and its settings."""
    folder = tmp_path_factory.mktemp("whole")
    settings = TWO_PHASES | {"weights": str(tiny_bundle)}
    kept = settings | EVERY_STEP | {"keep_checkpoints": 100}
    assert start(tiny_records, folder / "run", kept, UNDISTURBED).returncode == 0
    return folder / "run", settings


def copy(run: Path, state: Path, output: Path) -> Path:
    """A run's folder as it was when that state was its newest, if the best weights were the same then."""

    def others(_folder: str, names: list[str]) -> list[str]:
        return [name for name in names if name.startswith("state-") and name != state.name]

    shutil.copytree(run / "checkpoints", output / "checkpoints", ignore=others)
    shutil.copy(run / "run.json", output)
    return output


def test_every_step_is_saved_and_the_next_phase_goes_on_from_the_one_before(
    train: Train, tmp_path: Path, whole: tuple[Path, dict[str, Any]]
) -> None:
    run, settings = whole
    saved = {progress(state)["steps"]: state for state in states(run)}
    assert sorted(saved) == list(range(1, 33))
    assert [progress(saved[steps])["step"] for steps in (3, 16, 20)] == [3, 0, 4]
    again = copy(run, saved[16], tmp_path / "run")
    train(again, **settings)
    assert left(again) == left(run)


def test_early_stopping_the_best_and_averages_survive(train: Train, tmp_path: Path) -> None:
    settings = {"optimizer": "sgd", "learning_rate": 0.05, "schedule": "constant", "ema": 0.5, "dropout": 0.2}
    settings |= {"epochs": 10, "early_stopping": 2, "batch_size": 8}
    train(tmp_path / "whole", **settings, **EVERY_STEP, keep_checkpoints=100)
    expected = left(tmp_path / "whole")
    epochs, best = len(expected.history), progress(states(tmp_path / "whole")[0])["best"]["epoch"]
    assert epochs == best + 2 < 10
    # In the middle of the last epoch, and between the last two.
    for steps in (8 * epochs - 3, 8 * epochs - 8):
        state = tmp_path / "whole" / "checkpoints" / f"state-{steps:09d}.npz"
        again = copy(tmp_path / "whole", state, tmp_path / f"from-{steps}")
        train(again, **settings)
        assert left(again) == expected


def test_stopped_in_every_way(
    train: Train,
    tmp_path: Path,
    tiny_records: Path,
    whole: tuple[Path, dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    output, settings = tmp_path / "run", whole[1] | EVERY_STEP

    def stopped(moment: list[Any]) -> tuple[int, str, dict[str, Any]]:
        done = start(tiny_records, output, settings, moment)
        assert "Traceback" not in done.stderr, done.stderr
        last = (done.stderr.splitlines() or [""])[-1]
        return done.returncode, last, progress(states(output)[0])

    # Killed in the head's second epoch, when its third step was done and not yet saved.
    code, _, reached = stopped(["state-000000011.npz", 1, [signal.SIGKILL]])
    assert (code, reached["epoch"], reached["step"]) == (-signal.SIGKILL, 1, 2)
    # Told to end: one more step is done and saved.
    code, last, reached = stopped(["state-000000013.npz", 1, [signal.SIGTERM]])
    assert (code, reached["step"]) == (143, 6)
    assert last.endswith("terminated; the same command again carries on")
    # Interrupted while an epoch is validated: its steps are done.
    code, last, reached = stopped(["state-000000016.npz", 1, [signal.SIGINT]])
    assert (code, reached["epoch"], reached["step"]) == (130, 1, 8)
    assert last.endswith("interrupted; the same command again carries on")
    # Killed between the best weights and the state of the fine-tuning's first epoch.
    code, _, reached = stopped(["state-000000024.npz", 2, [signal.SIGKILL]])
    assert (code, reached["phase"], reached["epoch"], reached["step"]) == (-signal.SIGKILL, 1, 0, 8)
    # A disk without room for the next state.
    code, last, reached = stopped(["state-000000026.npz", 1, "full"])
    assert (code, reached["step"]) == (1, 2)
    assert "state-000000027.npz can't be written (File too large): make room" in last
    # Told twice: it ends at once, with nothing more saved.
    code, last, reached = stopped(["state-000000028.npz", 1, [signal.SIGTERM] * 2])
    assert (code, reached["step"]) == (143, 3)
    newest = states(output)[0]
    damaged = bytearray(newest.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    newest.write_bytes(damaged)
    capsys.readouterr()
    train(output, **settings)
    said = capsys.readouterr().err
    assert f"{newest} can't be used (damaged" in said
    assert '"going on from the last state", "epochs": 3, "step": 2' in said
    assert left(output) == left(whole[0])


def test_a_signal_that_nobody_asked_for_in_time_is_raised_in_the_end() -> None:
    interruption, kept = Interruption(), signal.getsignal(signal.SIGTERM)
    with pytest.raises(Terminated), interruption.awaited():
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption.asked
        assert signal.getsignal(signal.SIGTERM) == kept, "a second one is what it always was"
    with pytest.raises(KeyboardInterrupt), interruption.awaited():
        os.kill(os.getpid(), signal.SIGINT)
