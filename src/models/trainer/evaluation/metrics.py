"""What a network's answers are worth: probabilities float32 [n, classes] and labels int [n] to `Metrics`.

NumPy and scikit-learn only; nothing here knows what the network or the data set was.
"""

from collections.abc import Sequence

import numpy as np
from pydantic import Field
from sklearn.metrics import (
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
    recall_score,
)

from contracts.documents import Part
from contracts.errors import StageError
from models.trainer.evaluation.predictions import Floats, Ints

TOP = 5
CALIBRATION_BINS = 15
RESAMPLES = 10_000
CONFIDENCE = 0.95
MOST_CONFUSED = 10


class ClassMetrics(Part):
    """One row of the per-class table."""

    class_name: str
    precision: float
    recall: float
    f1: float
    support: int = Field(description="images of this class")


class Confusion(Part):
    """Two classes that are mixed up."""

    true: str
    predicted: str
    count: int
    share: float = Field(description="of the true class's images")


class Metrics(Part):
    """`report/metrics.json`: how good the answers are. Shares are in 0…1."""

    examples: int
    accuracy: float
    accuracy_interval: tuple[float, float] = Field(description=f"{CONFIDENCE:.0%} bootstrap interval")
    top5_accuracy: float = Field(
        description=f"right among the {TOP} likeliest, or among all of fewer classes"
    )
    macro_f1: float
    balanced_accuracy: float
    log_loss: float = Field(description="nats")
    ece: float = Field(description=f"expected calibration error over {CALIBRATION_BINS} bins")
    per_class: tuple[ClassMetrics, ...]
    confusion: tuple[tuple[int, ...], ...] = Field(description="[true][predicted], images")
    most_confused: tuple[Confusion, ...]

    def headline(self) -> dict[str, float]:
        """The numbers that a bundle and a tracker carry."""
        low, high = self.accuracy_interval
        names = ("examples", "accuracy", "top5_accuracy", "macro_f1", "balanced_accuracy", "log_loss", "ece")
        return {name: float(getattr(self, name)) for name in names} | {
            "accuracy_low": low,
            "accuracy_high": high,
        }


def evaluate(probabilities: Floats, labels: Ints, class_names: Sequence[str], *, seed: int = 0) -> Metrics:
    """Measure a split's answers.

    Classes without an image in the split count in no average; their own rows are zeros with support 0.

    Args:
        probabilities: [n, classes], each row a distribution.
        labels: [n], from 0.
        class_names: the index is the label.
        seed: of the bootstrap.

    Raises:
        StageError: a probability is not a number.
    """
    _check(probabilities, labels, class_names)
    probabilities = probabilities.astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    predicted = probabilities.argmax(axis=1)
    present = np.unique(labels)
    matrix = confusion_matrix(labels, predicted, labels=range(len(class_names)))
    accuracy = float(np.mean(predicted == labels))
    return Metrics(
        examples=len(labels),
        accuracy=accuracy,
        accuracy_interval=bootstrap_interval(accuracy, len(labels), seed),
        top5_accuracy=top_accuracy(probabilities, labels, TOP),
        macro_f1=f1_score(labels, predicted, labels=present, average="macro", zero_division=0),
        balanced_accuracy=recall_score(labels, predicted, labels=present, average="macro", zero_division=0),
        log_loss=log_loss(labels, probabilities, labels=range(len(class_names))),
        ece=calibration_error(probabilities, labels),
        per_class=_per_class(labels, predicted, class_names),
        confusion=tuple(tuple(int(count) for count in row) for row in matrix),
        most_confused=_most_confused(matrix, class_names),
    )


def top_accuracy(probabilities: Floats, labels: Ints, top: int) -> float:
    """Share of images whose true class is among the `top` likeliest; the better rank where two are equal."""
    own = np.take_along_axis(probabilities, labels[:, None], axis=1)
    return float(np.mean((probabilities > own).sum(axis=1) < top))


def calibration_error(probabilities: Floats, labels: Ints) -> float:
    """Mean distance of confidence and accuracy over equal-width bins of confidence, weighted by count."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, weights=confidence - right, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(labels))


def bootstrap_interval(accuracy: float, examples: int, seed: int) -> tuple[float, float]:
    """The percentile bootstrap interval of an accuracy.

    How many of `examples` images drawn with replacement are right is binomial, so the resamples are drawn
    from that distribution rather than image by image. At an accuracy of 0 or 1 every resample is equal.
    """
    resamples = np.random.default_rng(seed).binomial(examples, accuracy, RESAMPLES) / examples
    low, high = np.quantile(resamples, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _check(probabilities: Floats, labels: Ints, class_names: Sequence[str]) -> None:
    if probabilities.shape != (len(labels), len(class_names)) or not len(labels):
        raise ValueError(
            f"expected probabilities [{len(labels)}, {len(class_names)}] for one image or more, "
            f"got {list(probabilities.shape)}"
        )
    if not np.isfinite(probabilities).all():
        raise StageError(
            "the network answers with numbers that are none (NaN): its training diverged; "
            "lower --learning-rate, or take --precision float32"
        )


def _per_class(labels: Ints, predicted: Ints, class_names: Sequence[str]) -> tuple[ClassMetrics, ...]:
    columns = precision_recall_fscore_support(
        labels, predicted, labels=range(len(class_names)), zero_division=0
    )
    return tuple(
        ClassMetrics(class_name=name, precision=precision, recall=recall, f1=f1, support=support)
        for name, precision, recall, f1, support in zip(class_names, *columns, strict=True)
    )


def _most_confused(matrix: Ints, class_names: Sequence[str]) -> tuple[Confusion, ...]:
    mistakes = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-mistakes, axis=None, kind="stable")[:MOST_CONFUSED]
    pairs = zip(*np.unravel_index(order, matrix.shape), strict=True)
    return tuple(
        Confusion(
            true=class_names[true],
            predicted=class_names[other],
            count=mistakes[true, other],
            share=mistakes[true, other] / matrix[true].sum(),
        )
        for true, other in pairs
        if mistakes[true, other]
    )
