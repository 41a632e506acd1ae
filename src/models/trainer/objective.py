"""What training makes small: cross-entropy, with label smoothing and class weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf


@dataclass(frozen=True)
class Objective:
    """A loss for each image, and whether it was answered rightly."""

    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] | None = None
    """What an image of each class counts, about 1; None: all the same."""

    def training(self, logits: Any, labels: Any) -> tuple[Any, Any]:
        """Losses to learn from, and correctness: float32 [batch] each.

        Args:
            logits: [batch, classes], of any floating dtype.
            labels: int64 [batch], or float32 [batch, classes] of images that are mixtures.
        """
        logits = tf.cast(logits, tf.float32)
        classes = logits.shape[1]
        targets = tf.one_hot(labels, classes) if labels.shape.rank == 1 else labels
        smooth = targets * (1 - self.label_smoothing) + self.label_smoothing / classes
        losses = tf.nn.softmax_cross_entropy_with_logits(smooth, logits)
        if self.class_weights is not None:
            losses *= tf.linalg.matvec(targets, tf.constant(self.class_weights))
        return losses, _correct(logits, tf.argmax(targets, axis=1))

    def evaluation(self, logits: Any, labels: Any) -> tuple[Any, Any]:
        """Plain cross-entropy, and correctness, of images with labels int64 [batch]."""
        logits = tf.cast(logits, tf.float32)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits), _correct(logits, labels)


def balanced(counts: Sequence[int]) -> tuple[float, ...]:
    """Weights by which every class counts as much as any other: n / (classes · its images), 0 without any."""
    total = sum(counts)
    return tuple(total / (len(counts) * count) if count else 0.0 for count in counts)


def _correct(logits: Any, labels: Any) -> Any:
    return tf.cast(tf.argmax(logits, axis=1) == labels, tf.float32)
