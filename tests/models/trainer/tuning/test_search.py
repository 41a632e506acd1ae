"""Trials as processes: one that does badly is stopped, and saves its state."""

from pathlib import Path

from contracts.search_space import SearchSpace
from models.trainer.tuning.asked import Asked
from models.trainer.tuning.cores import Slots
from models.trainer.tuning.folder import open_study_folder
from models.trainer.tuning.journal import open_study
from models.trainer.tuning.outcome import records
from models.trainer.tuning.proposals import Proposals
from models.trainer.tuning.search import Search
from models.trainer.tuning.training import Training

SPACE = """
studySpec:
  metrics: [{metricId: val_accuracy, goal: MAXIMIZE}]
  parameters: [{parameterId: learning_rate, discreteValueSpec: {values: [1.0e-9, 0.001]}}]
  algorithm: GRID_SEARCH
"""


def test_a_trial_that_does_badly_is_stopped(tmp_path: Path, tiny_records: Path) -> None:
    arguments = ("--epochs", "12", "--batch-size", "8", "--wandb", "off", "--variant", "linear")
    asked = Asked(
        space_uri="space.yaml",
        space=SearchSpace.parse(SPACE.encode(), "space.yaml"),
        input_uri=str(tiny_records),
        output_uri=str(tmp_path / "study"),  # by its name Hyperband lets no trial pass its first rung
        training=Training("cnn", arguments),
        gpu="0",
        pruner="hyperband",
    )
    first = asked.training.defaults(asked.space)
    with open_study_folder(asked.output_uri) as folder:
        study = open_study(folder.local, asked.name, "MAXIMIZE", {})
        proposals = Proposals(study, asked.space, first, seed=0)
        assert proposals.limit == 2
        Search(study, asked, proposals, Slots("0", 1), folder).run(2)
    good, bad = records(study)
    assert (good.state, good.parameters, len(good.values)) == ("complete", {"learning_rate": 0.001}, 12)
    assert (bad.state, bad.parameters) == ("pruned", {"learning_rate": 1e-9})
    assert 1 <= len(bad.values) < 12
    assert (tmp_path / "study" / bad.name / "checkpoints").is_dir()
    said = (tmp_path / "study" / "logs" / f"{bad.name}.log").read_text()
    assert "stopped; the state is saved" in said
