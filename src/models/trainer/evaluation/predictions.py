"""What a network answered for the images of a split, and the table that keeps it."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.errors import InputError

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]

COLUMNS = ("filename", "label", "predicted", "probability_of_label", "probability_of_predicted")
"""Of the table; label and predicted are class names."""


@dataclass(frozen=True)
class Predictions:
    """A network's answers for one split, image by image."""

    filenames: Sequence[str]
    """As in the records: the path inside the raw folder."""
    labels: Ints
    """int [n]."""
    probabilities: Floats
    """float32 [n, classes]."""

    def __post_init__(self) -> None:
        shapes = len(self.filenames), self.labels.shape, self.probabilities.shape
        n = len(self.filenames)
        if self.labels.shape != (n,) or self.probabilities.ndim != 2 or len(self.probabilities) != n:
            raise ValueError(f"expected n filenames, labels [n] and probabilities [n, classes], got {shapes}")

    @property
    def predicted(self) -> Ints:
        """The most probable label of each image, int [n]."""
        return np.asarray(self.probabilities.argmax(axis=1))


@dataclass(frozen=True)
class AnsweredImages:
    """What the table keeps of a split's answers, image by image."""

    filenames: Sequence[str]
    labels: Ints
    """int [n]."""
    predicted: Ints
    """int [n]."""
    probability_of_label: Floats
    """float [n], of six digits."""
    probability_of_predicted: Floats
    """float [n], of six digits."""


def write_predictions(path: Path, predictions: Predictions, class_names: Sequence[str]) -> None:
    """Write the table: a row an image, as CSV."""
    answers = zip(predictions.labels, predictions.predicted, predictions.probabilities, strict=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(
            [name, class_names[label], class_names[predicted], f"{row[label]:.6f}", f"{row[predicted]:.6f}"]
            for name, (label, predicted, row) in zip(predictions.filenames, answers, strict=True)
        )


def read_predictions(text: bytes, class_names: Sequence[str]) -> AnsweredImages:
    """Read the table.

    Raises:
        InputError: it is no such table, or of other classes.
    """
    numbers = {name: number for number, name in enumerate(class_names)}
    try:
        rows = list(csv.DictReader(io.StringIO(text.decode(), newline=""), strict=True))
        return AnsweredImages(
            [row["filename"] for row in rows],
            _column(rows, "label", numbers),
            _column(rows, "predicted", numbers),
            np.array([float(row["probability_of_label"]) for row in rows]),
            np.array([float(row["probability_of_predicted"]) for row in rows]),
        )
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise InputError(
            f"a table of predictions can't be read ({type(error).__name__}: {error}): expected the columns "
            f"{', '.join(COLUMNS)}, and the classes {', '.join(class_names[:5])}, …; train or evaluate again"
        ) from None


def _column(rows: Sequence[Mapping[str, str]], name: str, numbers: Mapping[str, int]) -> Ints:
    return np.array([numbers[row[name]] for row in rows], np.int64)
