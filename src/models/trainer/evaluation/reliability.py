"""Whether a network is as right as it is sure: its answers in bins of confidence."""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from contracts.documents import Part
from models.trainer.evaluation.predictions import Floats, Ints

BINS = 15


class ReliabilityBin(Part):
    """The answers whose confidence, the probability of the class that they name, is from `low` to `high`."""

    low: float
    high: float
    count: int = Field(description="answers, 1 or more")
    confidence: float = Field(description="their mean")
    accuracy: float = Field(description="share of them that is right")


def reliability(probabilities: Floats, labels: Ints) -> tuple[ReliabilityBin, ...]:
    """Count answers in `BINS` bins of equal width from 0 to 1; bins without an answer are left out.

    Args:
        probabilities: [n, classes].
        labels: int [n].
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    confidences = np.bincount(bins, weights=confidence, minlength=BINS)
    rights = np.bincount(bins, weights=right, minlength=BINS)
    return tuple(
        ReliabilityBin(
            low=place / BINS,
            high=(place + 1) / BINS,
            count=counts[place],
            confidence=confidences[place] / counts[place],
            accuracy=rights[place] / counts[place],
        )
        for place in np.flatnonzero(counts).tolist()
    )


def calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """The expected calibration error: the bins' mean distance of confidence and accuracy, by their counts."""
    gaps = sum(found.count * abs(found.confidence - found.accuracy) for found in bins)
    return gaps / sum(found.count for found in bins)
