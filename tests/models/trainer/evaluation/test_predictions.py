"""The table of answers is read as it was written."""

from pathlib import Path

import numpy as np
import pytest

from contracts.errors import InputError
from models.trainer.evaluation.predictions import Predictions, read_predictions, write_predictions

NAMES = ("a, b", 'the "third"', "ü")


def test_predictions_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match="expected n filenames"):
        Predictions(["a.png"], np.array([0, 1]), np.ones((2, 2), np.float32))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    answers = np.array([[0.7, 0.2, 0.1], [0.25, 0.25, 0.5]], np.float32)
    predictions = Predictions(["ü/1.png", "x/a,b.zip::2.png"], np.array([1, 2]), answers)
    write_predictions(tmp_path / "predictions.csv", predictions, NAMES)
    read = read_predictions((tmp_path / "predictions.csv").read_bytes(), NAMES)
    assert list(read.filenames) == predictions.filenames
    np.testing.assert_array_equal(read.labels, predictions.labels)
    np.testing.assert_array_equal(read.predicted, predictions.predicted)
    np.testing.assert_allclose(read.probability_of_label, [0.2, 0.5])
    np.testing.assert_allclose(read.probability_of_predicted, [0.7, 0.5])


@pytest.mark.parametrize(
    "text",
    [
        b"filename,label\na.png,ape\n",
        b"filename,label,predicted,probability_of_label,probability_of_predicted\na,ape,cat,0,1\n",
        b"filename,label,predicted,probability_of_label,probability_of_predicted\na,ape,ape\n",
        b"\xff\xd8",
    ],
)
def test_another_table_is_refused_in_a_line(text: bytes) -> None:
    with pytest.raises(InputError, match="expected the columns filename, label"):
        read_predictions(text, ("ape", "bee"))
