"""What a network's answers are worth: probabilities float32 [n, classes] and labels int [n] to `Metrics`.

NumPy and scikit-learn only; nothing here knows what the network or the data set was.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import Field
from sklearn.metrics import (
    brier_score_loss,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
    recall_score,
    roc_auc_score,
)

from contracts.documents import Part
from contracts.errors import StageError
from models.trainer.evaluation.bootstrap import CONFIDENCE, accuracy_interval, macro_f1_interval
from models.trainer.evaluation.calibration import tempered
from models.trainer.evaluation.predictions import Floats, Ints
from models.trainer.evaluation.reliability import BINS, ReliabilityBin, calibration_error, reliability

TOP = 5
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


class Uncalibrated(Part):
    """How sure the network was before its temperature was set: the same answers at temperature 1."""

    log_loss: float = Field(description="nats")
    brier: float = Field(description="the squared distance to the truth, summed over the classes: 0…2")
    ece: float = Field(description=f"expected calibration error over {BINS} bins of confidence")
    reliability: tuple[ReliabilityBin, ...] = Field(description="what `ece` is made of")


class Metrics(Part):
    """`report/metrics.json`: how good the answers are. Shares are in 0…1."""

    examples: int
    accuracy: float
    accuracy_interval: tuple[float, float] = Field(description=f"{CONFIDENCE:.0%} bootstrap interval")
    top5_accuracy: float = Field(
        description=f"right among the {TOP} likeliest, or among all of fewer classes"
    )
    macro_f1: float
    macro_f1_interval: tuple[float, float] = Field(description=f"{CONFIDENCE:.0%} bootstrap interval")
    weighted_f1: float = Field(description="by the classes' images")
    balanced_accuracy: float
    roc_auc: float | None = Field(
        description="mean over the classes of each against the rest; None: all images are of one class"
    )
    temperature: float = Field(description="of the probabilities that the following are of")
    log_loss: float = Field(description="nats")
    brier: float = Field(description="the squared distance to the truth, summed over the classes: 0…2")
    ece: float = Field(description=f"expected calibration error over {BINS} bins of confidence")
    reliability: tuple[ReliabilityBin, ...] = Field(description="what `ece` is made of")
    uncalibrated: Uncalibrated
    per_class: tuple[ClassMetrics, ...]
    confusion: tuple[tuple[int, ...], ...] = Field(description="[true][predicted], images")
    most_confused: tuple[Confusion, ...]

    def headline(self) -> dict[str, float]:
        """The numbers that a bundle and a tracker carry."""
        names = ["examples", "accuracy", "top5_accuracy", "macro_f1", "weighted_f1", "balanced_accuracy"]
        names += ["roc_auc"] if self.roc_auc is not None else []
        names += ["log_loss", "brier", "ece", "temperature"]
        low, high = self.accuracy_interval
        return {name: float(getattr(self, name)) for name in names} | {
            "ece_uncalibrated": self.uncalibrated.ece,
            "accuracy_low": low,
            "accuracy_high": high,
        }


def evaluate(
    probabilities: Floats,
    labels: Ints,
    class_names: Sequence[str],
    *,
    temperature: float = 1.0,
    seed: int = 0,
) -> Metrics:
    """Measure a split's answers.

    Classes without an image in the split count in no average; their own rows are zeros with support 0.

    Args:
        probabilities: [n, classes], each row a distribution; as they are served, that is, calibrated.
        labels: [n], from 0.
        class_names: the index is the label.
        temperature: what the probabilities were calibrated with.
        seed: of the bootstrap.

    Raises:
        StageError: a probability is not a number.
    """
    _check(probabilities, labels, class_names)
    probabilities = _normalized(probabilities)
    predicted = probabilities.argmax(axis=1)
    present = np.unique(labels)
    matrix = confusion_matrix(labels, predicted, labels=range(len(class_names)))
    accuracy = float(np.mean(predicted == labels))

    def f1(average: str) -> float:
        return float(f1_score(labels, predicted, labels=present, average=average, zero_division=0))

    return Metrics(
        examples=len(labels),
        accuracy=accuracy,
        accuracy_interval=accuracy_interval(accuracy, len(labels), seed),
        top5_accuracy=top_accuracy(probabilities, labels, TOP),
        macro_f1=f1("macro"),
        macro_f1_interval=macro_f1_interval(matrix, seed),
        weighted_f1=f1("weighted"),
        balanced_accuracy=recall_score(labels, predicted, labels=present, average="macro", zero_division=0),
        roc_auc=_roc_auc(probabilities, labels, present),
        temperature=temperature,
        **_sureness(probabilities, labels),
        uncalibrated=Uncalibrated(**_sureness(_normalized(tempered(probabilities, 1 / temperature)), labels)),
        per_class=_per_class(labels, predicted, class_names),
        confusion=tuple(tuple(int(count) for count in row) for row in matrix),
        most_confused=_most_confused(matrix, class_names),
    )


def top_accuracy(probabilities: Floats, labels: Ints, top: int) -> float:
    """Share of images whose true class is among the `top` likeliest; the better rank where two are equal."""
    own = np.take_along_axis(probabilities, labels[:, None], axis=1)
    return float(np.mean((probabilities > own).sum(axis=1) < top))


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


def _normalized(probabilities: Floats) -> Floats:
    """In float64, where rows of float32 don't add up to 1 well enough for scikit-learn."""
    rows = probabilities.astype(np.float64)
    return np.asarray(rows / rows.sum(axis=1, keepdims=True))


def _sureness(probabilities: Floats, labels: Ints) -> dict[str, Any]:
    """What the temperature changes."""
    names = range(probabilities.shape[1])
    bins = reliability(probabilities, labels)
    return {
        "log_loss": log_loss(labels, probabilities, labels=names),
        "brier": brier_score_loss(labels, probabilities, labels=names, scale_by_half=False),
        "ece": calibration_error(bins),
        "reliability": bins,
    }


def _roc_auc(probabilities: Floats, labels: Ints, present: Ints) -> float | None:
    # Not multi_class="ovr" of the labels: it wants an image of every class.
    if len(present) < 2:
        return None
    truth = (labels[:, None] == present).astype(np.int8)
    return float(roc_auc_score(truth, probabilities[:, present], average="macro"))


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
