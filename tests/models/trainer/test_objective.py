"""The losses are Keras' own, one for each image."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.utils.class_weight import compute_class_weight

from models.trainer.objective import Objective, balanced

LOGITS = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32) * 3
LABELS = np.array([0, 2, 1, 1, 0])
ONE_HOT = np.eye(3, dtype=np.float32)[LABELS]
MIXED = (0.7 * ONE_HOT + 0.3 * ONE_HOT[::-1]).astype(np.float32)
WEIGHTS = (0.5, 1.0, 2.5)


def training(objective: Objective, labels: Any) -> tuple[Any, Any]:
    losses, correct = objective.training(tf.constant(LOGITS), tf.constant(labels))
    return losses.numpy(), correct.numpy()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize(("labels", "targets"), [(LABELS, ONE_HOT), (MIXED, MIXED)])
def test_training_is_keras_cross_entropy(
    smoothing: float, weights: tuple[float, ...] | None, labels: Any, targets: Any
) -> None:
    theirs = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing, reduction=None)
    images = targets @ np.array(weights) if weights else None
    losses, correct = training(Objective(smoothing, weights), labels)
    np.testing.assert_allclose(losses, theirs(targets, LOGITS, sample_weight=images).numpy(), rtol=1e-5)
    np.testing.assert_array_equal(correct, LOGITS.argmax(1) == targets.argmax(1))


def test_evaluation_knows_nothing_of_smoothing_and_weights() -> None:
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None)
    objective = Objective(0.1, WEIGHTS)
    for logits in (tf.constant(LOGITS), tf.cast(LOGITS, tf.bfloat16)):
        losses, correct = objective.evaluation(logits, tf.constant(LABELS))
        assert losses.dtype == tf.float32
        np.testing.assert_allclose(losses, theirs(LABELS, tf.cast(logits, tf.float32)), rtol=1e-5)
        np.testing.assert_array_equal(correct, LOGITS.argmax(1) == LABELS)


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    counts = (30, 6, 1)
    labels = np.repeat(np.arange(3), counts)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(balanced(counts), expected)
    assert balanced((4, 0)) == (0.5, 0.0)
