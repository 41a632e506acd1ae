"""Trials as processes: one that does badly is stopped, and saves its state; what failed is tried again."""

import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from contracts.errors import StageError
from contracts.search_space import SearchSpace
from models.trainer.tuning.asked import Asked
from models.trainer.tuning.cores import Slots
from models.trainer.tuning.folder import open_study_folder
from models.trainer.tuning.journal import open_study
from models.trainer.tuning.outcome import best_of, records
from models.trainer.tuning.proposals import Proposals
from models.trainer.tuning.search import Search
from models.trainer.tuning.training import Training

SPACE = """
studySpec:
  metrics: [{metricId: val_accuracy, goal: MAXIMIZE}]
  parameters: [{parameterId: learning_rate, discreteValueSpec: {values: [1.0e-9, 0.001]}}]
  algorithm: GRID_SEARCH
"""


def asked_for(tmp_path: Path, records: Path, epochs: int) -> Asked:
    arguments = ("--epochs", str(epochs), "--batch-size", "8", "--wandb", "off", "--variant", "linear")
    return Asked(
        space_uri="space.yaml",
        space=SearchSpace.parse(SPACE.encode(), "space.yaml"),
        input_uri=str(records),
        output_uri=str(tmp_path / "study"),  # by its name Hyperband lets no trial pass its first rung
        training=Training("cnn", arguments),
        gpu="0",
        pruner="hyperband",
    )


def search(asked: Asked, wanted: int) -> optuna.Study:
    first = asked.training.defaults(asked.space)
    with open_study_folder(asked.output_uri) as folder:
        study = open_study(folder.local, asked.name, "MAXIMIZE", {})
        proposals = Proposals(study, asked.space, first, seed=0)
        assert proposals.limit == 2
        Search(study, asked, proposals, Slots("0", 1), folder).run(wanted)
    return study


def test_a_trial_that_does_badly_is_stopped(tmp_path: Path, tiny_records: Path) -> None:
    study = search(asked_for(tmp_path, tiny_records, epochs=12), 2)
    good, bad = records(study)
    assert (good.state, good.parameters, len(good.values)) == ("complete", {"learning_rate": 0.001}, 12)
    assert (bad.state, bad.parameters) == ("pruned", {"learning_rate": 1e-9})
    assert 1 <= len(bad.values) < 12
    assert (tmp_path / "study" / bad.name / "checkpoints").is_dir()
    said = (tmp_path / "study" / "logs" / f"{bad.name}.log").read_text()
    assert "stopped; the state is saved" in said


def test_what_failed_is_tried_again_by_the_same_command(tmp_path: Path, tiny_records: Path) -> None:
    asked = asked_for(tmp_path, tiny_records, epochs=1)
    study = search(replace(asked, input_uri=str(tmp_path / "gone")), 1)
    assert [trial.state for trial in records(study)] == ["failed"]
    with pytest.raises(StageError, match="the same command tries them again"):
        best_of(study)
    study = search(asked, 2)
    assert [(trial.name, trial.number, trial.state) for trial in records(study)] == [
        ("study-00", 0, "complete"),
        ("study-01", 1, "complete"),
    ]
    assert [trial.parameters["learning_rate"] for trial in records(study)] == [0.001, 1e-9]


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_trial_that_was_killed_is_taken_up_once(
    tmp_path: Path, tiny_records: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    history = tmp_path / "study" / "study-00" / "history.csv"

    def kill() -> None:
        """End the trial, which is the only process that this one waits for."""
        while not history.exists():
            time.sleep(0.02)
        folder = Path(f"/proc/{os.getpid()}/task")
        children = {int(pid) for task in folder.glob("*/children") for pid in task.read_text().split()}
        for child in children:
            if b"train_multi_gpu" in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(child, signal.SIGKILL)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    study = search(asked_for(tmp_path, tiny_records, epochs=8), 1)
    killer.join(5)
    assert "trial was killed, and is taken up once more" in capfd.readouterr().err
    (trial,) = records(study)
    assert (trial.name, trial.state, len(trial.values)) == ("study-00", "complete", 8)
