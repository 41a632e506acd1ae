"""What a network's logits become wherever it answers, in TensorFlow's ops: calibrated probabilities."""

from typing import Any

import keras
import tensorflow as tf


def calibrated(network: keras.Model, pixels: Any, temperature: float = 1.0) -> Any:
    """Answer uint8 RGB [b, size, size, 3] with softmax(logits / temperature), float32 [b, classes]."""
    return tf.nn.softmax(tf.cast(network(pixels, training=False), tf.float32) / temperature)
