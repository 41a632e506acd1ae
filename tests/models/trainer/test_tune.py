"""A study from its command line to the bundle of its best trial."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from contracts.bundle import ModelBundle
from models.trainer.tuning.record import Study

MODULE = "models.trainer.tune"

SPACE = """
studySpec:
  metrics: [{metricId: val_accuracy, goal: MAXIMIZE}]
  parameters:
    # A network of 4 pixels is too small: that trial fails.
    - {parameterId: image_size, discreteValueSpec: {values: [4, 32], defaultValue: 32}}
    - {parameterId: learning_rate, doubleValueSpec: {minValue: 1e-4, maxValue: 1e-2}}
  algorithm: RANDOM_SEARCH
maxTrialCount: 3
"""


def command(space: Path, records: Path, output: Path, *options: str) -> list[str]:
    places = ["--space", str(space), "--input", str(records), "--output", str(output), "--model", "cnn"]
    training = ["--", "--variant", "linear", "--epochs", "6", "--batch-size", "16", "--wandb", "off"]
    return [sys.executable, "-m", MODULE, *places, "--gpu", "0", *options, *training]


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "space.yaml"
    path.write_text(SPACE)
    return path


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 90
    while not path.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_study_that_was_killed_goes_on_to_its_best_model(
    space: Path, tmp_path: Path, tiny_records: Path
) -> None:
    output = tmp_path / "study"
    asked = command(space, tiny_records, output, "--seed", "5")
    killed = subprocess.Popen(asked, stderr=subprocess.DEVNULL)
    wait_for(output / "study-00" / "history.csv", killed)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    result = subprocess.run(asked, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    said = (output / "logs" / "study-00.log").read_text()
    assert "going on from the last state" in said  # its trial ended with it, and was taken up
    study = Study.read(str(output))
    assert [trial.name for trial in study.trials] == ["study-00", "study-01", "study-02"]
    assert study.trials[0].parameters == study.first == {"image_size": 32.0, "learning_rate": 0.001}
    assert study.default_trial == study.trials[0]
    assert len(study.trials[0].values) == 6
    failed = [trial for trial in study.trials if trial.state == "failed"]
    assert failed
    for trial in failed:
        assert trial.reason is not None
        assert "--image-size 4 is too small" in trial.reason
        assert trial.reason in (output / "study.html").read_text()
    best = study.best_trial
    assert best.value == max(trial.value for trial in study.trials if trial.state == "complete")
    bundle = ModelBundle.read(str(output / study.best))
    assert bundle.config["learning_rate"] == best.parameters["learning_rate"]
    for trial in study.trials:
        assert (output / trial.name / "checkpoints").exists() == (trial.name == study.best)

    again = subprocess.run(asked, capture_output=True, text=True)
    assert (again.returncode, json.loads(again.stderr)["event"]) == (0, "already tuned")
    other = subprocess.run(command(space, tiny_records, output), capture_output=True, text=True)
    assert other.returncode == 2
    assert "was begun with another --seed" in other.stderr


def test_ctrl_c_stops_the_trials_and_says_how_to_go_on(
    space: Path, tmp_path: Path, tiny_records: Path
) -> None:
    output = tmp_path / "study"
    asked = command(space, tiny_records, output, "--parallel", "2")
    process = subprocess.Popen(asked, stderr=subprocess.PIPE)
    wait_for(output / "study-00" / "history.csv", process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert (
        said.decode().splitlines()[-1]
        == f"python -m {MODULE}: interrupted; the same command again carries on"
    )
    assert "stopped; the state is saved" in (output / "logs" / "study-00.log").read_text()
    assert not (output / "study.json").exists()


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("val_accuracy", "accuracy", "expected the metric val_accuracy with MAXIMIZE"),
        ("goal: MAXIMIZE", "goal: MINIMIZE", "got val_accuracy with MINIMIZE"),
        ("learning_rate", "learnin_rate", "parameter learnin_rate is no option of cnn"),
        (
            "doubleValueSpec: {minValue: 1e-4, maxValue: 1e-2}}\n  algorithm: RANDOM",
            "discreteValueSpec: {values: [1e-2, 1e-3]}}\n"
            "    - {parameterId: seed, integerValueSpec: {minValue: 1, maxValue: 2501}}\n  algorithm: GRID",
            "algorithm GRID_SEARCH has 10,004 combinations",
        ),
        ("maxValue: 1e-2", "maxValue: 1e-7", "(learning_rate).doubleValueSpec: minValue 0.0001 is above"),
    ],
)  # fmt: skip
def test_mistakes_are_a_line_and_nothing_is_written(
    space: Path, tmp_path: Path, tiny_records: Path, old: str, new: str, complaint: str
) -> None:
    space.write_text(SPACE.replace(old, new))
    result = subprocess.run(command(space, tiny_records, tmp_path / "out"), capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (2, "")
    assert complaint in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_help_and_refusals_need_neither_tensorflow_nor_optuna() -> None:
    heavy = ("tensorflow", "keras", "optuna", "matplotlib", "sklearn", "wandb")
    code = f"import sys, {MODULE}; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "[]\n"
