"""How far a measure might be off: percentile bootstrap intervals.

Images are drawn with replacement as often as there are images. Which cells of the confusion matrix they fall
into is multinomial, so the resamples are drawn from that distribution rather than image by image.
"""

import numpy as np

from models.trainer.evaluation.predictions import Floats, Ints

CONFIDENCE = 0.95
RESAMPLES = 10_000
F1_RESAMPLES = 2_000
"""Of a measure that takes longer than a share; their quantiles are stable in the third digit."""


def accuracy_interval(accuracy: float, examples: int, seed: int) -> tuple[float, float]:
    """The interval of an accuracy. At 0 or 1 every resample is equal, and the interval has no width."""
    return _quantiles(np.random.default_rng(seed).binomial(examples, accuracy, RESAMPLES) / examples)


def macro_f1_interval(matrix: Ints, seed: int) -> tuple[float, float]:
    """The interval of the mean F1 of the classes that a resample holds images of.

    Of many classes with few images each it lies low, as a resample holds fewer different images.

    Args:
        matrix: [true][predicted], images.
        seed: of the resamples.
    """
    true, predicted = np.nonzero(matrix)
    counts = matrix[true, predicted]
    examples, classes = counts.sum(), len(matrix)
    rng = np.random.default_rng(seed)
    scores = []
    for _ in range(F1_RESAMPLES):  # one at a time, as a thousand classes have many cells
        draw = rng.multinomial(examples, counts / examples)
        support = np.bincount(true, draw, classes)
        right = np.bincount(true, draw * (true == predicted), classes)
        f1 = 2 * right / np.maximum(support + np.bincount(predicted, draw, classes), 1)
        scores.append(f1[support > 0].mean())
    return _quantiles(np.array(scores))


def _quantiles(scores: Floats) -> tuple[float, float]:
    low, high = np.quantile(scores, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)
