"""A study's journal after a kill."""

from pathlib import Path

import optuna
import pytest

from contracts.errors import InputError
from models.trainer.tuning.folder import open_study_folder
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


@pytest.mark.parametrize("rubbish", [b"rubbish", b"[1,2]", b"{}", b"\xff\x00\xfe", b"", b"[" * 100_000])
def test_a_damaged_line_is_named_and_nothing_is_mended(tmp_path: Path, rubbish: bytes) -> None:
    begin(tmp_path)
    journal = tmp_path / JOURNAL
    first, *rest = journal.read_bytes().split(b"\n")
    damaged = b"\n".join([first, rubbish, *rest, b'{"op_code":4,"wor'])
    journal.write_bytes(damaged)
    with (
        pytest.raises(InputError, match=r"journal\.log is damaged \(line 2\): restore it, or choose"),
        open_study_folder(str(tmp_path)),
    ):
        pass
    assert journal.read_bytes() == damaged


def test_a_line_that_says_too_little_is_an_error_in_a_line(tmp_path: Path) -> None:
    begin(tmp_path)
    with (tmp_path / JOURNAL).open("ab") as journal:
        journal.write(b'{"op_code":4,"worker_id":"somebody"}\n')
    with pytest.raises(InputError, match=r"journal\.log is damaged \(KeyError: "):
        begin(tmp_path)


def test_somebody_elses_journal_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_text("Dear diary")
    with pytest.raises(InputError, match="isn't the journal of a study"), open_study_folder(str(tmp_path)):
        pass
    assert (tmp_path / JOURNAL).read_text() == "Dear diary"


def test_a_folder_with_another_name_holds_the_same_study(tmp_path: Path) -> None:
    study = begin(tmp_path)
    study.tell(study.ask(AXES), 0.5)
    again = open_study(tmp_path, "renamed", "MAXIMIZE", {"--seed": 0})
    assert (again.study_name, [trial.value for trial in again.get_trials()]) == ("study", [0.5])
