"""What a study found, damaged or of another version."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import InputError
from models.trainer.tuning.record import Study, TrialRecord

TRIAL = TrialRecord(
    name="study-00",
    number=0,
    state="complete",
    architecture="cnn",
    parameters={"dropout": 0.1},
    value=0.5,
    values=(0.5,),
    seconds=1,
)
STUDY = Study(
    name="study",
    dataset="digits",
    dataset_digest="0" * 64,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    space={
        "studySpec": {
            "metrics": [{"metricId": "val_accuracy", "goal": "MAXIMIZE"}],
            "parameters": [{"parameterId": "dropout", "doubleValueSpec": {"minValue": 0.1, "maxValue": 0.5}}],
        }
    },
    model="cnn",
    arguments=(),
    pruner="none",
    seed=0,
    command="python",
    first={"dropout": 0.1},
    trials=(TRIAL,),
    best="study-00",
    importance={},
)


def write(folder: Path, **changes: Any) -> str:
    STUDY.model_copy(update=changes).write(str(folder))
    return str(folder)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"best": "study-01"}, "the best trial, study-01, isn't among"),
        ({"trials": ()}, "trials: Tuple should have at least 1 item"),
        ({"space": {}}, "space: studySpec: Field required"),
        ({"schema_version": 2}, "has schema_version 2"),
    ],
)
def test_a_damaged_one_is_an_error_in_a_line(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        Study.read(write(tmp_path, **changes))
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_of_another_version_is_not_replaced(tmp_path: Path) -> None:
    assert Study.read_for_update(str(tmp_path)) is None
    assert Study.read_for_update(write(tmp_path)) == STUDY
    assert Study.read_for_update(write(tmp_path, best="gone")) is None
    with pytest.raises(InputError, match=r"study\.json has schema_version 2; .* choose another --output"):
        Study.read_for_update(write(tmp_path, schema_version=2))
