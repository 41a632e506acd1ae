"""Asking a network: the images of a split, prepared as the server prepares them, to what it answers."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from contracts.bundle import LITERT_MODEL, SAVED_MODEL, ImageSpec
from contracts.console import progress
from models.trainer.calibrated import calibrated
from models.trainer.evaluation.predictions import Floats, Predictions
from models.trainer.examples import batches, read_examples
from models.trainer.litert import LiteRTModel

Answer = Callable[[NDArray[np.uint8]], Floats]
"""Pixels uint8 [b, size, size, 3] to probabilities float [b, classes]."""

Runtime = Literal["tensorflow", "litert"]

_BATCH = 32


def answer_all(answer: Answer, shards: Sequence[str], image: ImageSpec, examples: int) -> Predictions:
    """Answer every image of some shards.

    Args:
        answer: who is asked.
        shards: local paths.
        image: how stored bytes become pixels.
        examples: how many there are, for the bar.

    Raises:
        InputError: a shard is damaged.
    """
    steps = batches(read_examples(shards), image, _BATCH)
    filenames: list[str] = []
    labels: list[int] = []
    answers = []
    for group, pixels in progress(steps, total=-(-examples // _BATCH), what="answering", unit="batch"):
        filenames += [example.filename for example in group]
        labels += [example.label for example in group]
        answers.append(answer(pixels))
    return Predictions(filenames, np.array(labels), np.concatenate(answers))


def network_answer(network: keras.Model) -> Answer:
    """Ask a network (uint8 RGB [batch, size, size, 3] to logits), at temperature 1."""
    forward = tf.function(
        lambda pixels: calibrated(network, pixels),
        input_signature=[tf.TensorSpec(network.inputs[0].shape, tf.uint8)],
        autograph=False,
    )
    return lambda pixels: forward(tf.constant(pixels)).numpy()


def bundle_answer(folder: Path, runtime: Runtime) -> Answer:
    """Ask one of a bundle's served models: its probabilities are calibrated.

    Args:
        folder: the bundle's, local.
        runtime: `tensorflow` asks `saved_model/`, `litert` `model.tflite`.
    """
    if runtime == "litert":
        return LiteRTModel(folder / LITERT_MODEL).probabilities
    # The signature lives only as long as the model that it came from.
    loaded: Any = tf.saved_model.load(str(folder / SAVED_MODEL))
    return lambda pixels: loaded.signatures["pixels"](pixels=tf.constant(pixels))["probabilities"].numpy()
