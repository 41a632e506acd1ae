"""A study's journal after a kill."""

from pathlib import Path

import optuna
import pytest

from contracts.errors import InputError
from models.trainer.tuning.journal import JOURNAL, open_study

AXES = {"rate": optuna.distributions.FloatDistribution(0, 1)}


def begin(folder: Path, **wanted: object) -> optuna.Study:
    return open_study(folder, "study", "MAXIMIZE", wanted or {"--seed": 0})


def test_a_line_that_was_cut_off_is_dropped(tmp_path: Path) -> None:
    study = begin(tmp_path)
    study.tell(study.ask(AXES), 0.5)
    with (tmp_path / JOURNAL).open("ab") as journal:
        journal.write(b'{"op_code":4,"worker')
    (tmp_path / f"{JOURNAL}.lock").symlink_to(tmp_path / JOURNAL)
    again = begin(tmp_path)
    again.tell(again.ask(AXES), 0.75)
    assert [trial.value for trial in begin(tmp_path).get_trials()] == [0.5, 0.75]


def test_another_study_is_refused(tmp_path: Path) -> None:
    begin(tmp_path)
    with pytest.raises(InputError, match="begun with another --seed: give the same again"):
        begin(tmp_path, **{"--seed": 1})
