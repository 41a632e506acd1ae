"""A study's folder, on a disk and in a bucket."""

from pathlib import Path

import optuna
import pytest

from contracts import storage
from contracts.errors import InputError, StageError
from models.trainer.tuning.folder import LOGS, open_study_folder
from models.trainer.tuning.journal import JOURNAL, open_study

AXES = {"rate": optuna.distributions.FloatDistribution(0, 1)}


def test_a_study_in_a_bucket_goes_on(bucket: str) -> None:
    uri = f"{bucket}/models/digits/study"
    with open_study_folder(uri) as folder:
        study = open_study(folder.local, "study", "MAXIMIZE", {})
        study.tell(study.ask(AXES), 0.5)
        folder.log("study-00").parent.mkdir()
        folder.log("study-00").write_text("trained\n")
        folder.publish()
    assert not folder.local.exists()
    assert storage.read_bytes(f"{uri}/{LOGS}/study-00.log") == b"trained\n"
    with open_study_folder(uri) as folder:
        again = open_study(folder.local, "study", "MAXIMIZE", {})
        assert [trial.value for trial in again.get_trials()] == [0.5]


def test_one_process_at_a_time(tmp_path: Path) -> None:
    folder = str(tmp_path / "study")
    with open_study_folder(folder), pytest.raises(StageError, match="another run"), open_study_folder(folder):
        pass


def test_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with (
        pytest.raises(InputError, match=r"holds notes\.txt and isn't a study's folder"),
        open_study_folder(str(tmp_path)),
    ):
        pass
    with pytest.raises(InputError, match="is a file"), open_study_folder(str(tmp_path / "notes.txt")):
        pass
    (tmp_path / JOURNAL).touch()
    with open_study_folder(str(tmp_path)):
        pass
