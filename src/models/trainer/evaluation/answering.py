"""Asking a network: the images of a split, prepared as the server prepares them, to what it answers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from contracts.bundle import SERVED, ImageSpec, ModelBundle, Runtime
from contracts.console import progress
from contracts.dataset import ShardIndex, Split
from contracts.errors import StageError
from models.trainer.calibrated import calibrated
from models.trainer.evaluation.judgement import Judgement
from models.trainer.evaluation.metrics import evaluate
from models.trainer.evaluation.predictions import Floats, Predictions
from models.trainer.examples import batches, read_examples
from models.trainer.litert import LiteRTModel

Answer = Callable[[NDArray[np.uint8]], Floats]
"""Pixels uint8 [b, size, size, 3] to probabilities float [b, classes]."""

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
        runtime: which of its models.

    Raises:
        StageError: it can't be loaded.
    """
    path = folder / SERVED[runtime]
    with loading(path):
        if runtime == "litert":
            return LiteRTModel(path).probabilities
        # The signature lives only as long as the model that it came from.
        loaded: Any = tf.saved_model.load(str(path))
    return lambda pixels: loaded.signatures["pixels"](pixels=tf.constant(pixels))["probabilities"].numpy()


@contextmanager
def loading(path: Path) -> Iterator[None]:
    """Say in a line that a model of a bundle can't be loaded.

    Raises:
        StageError: as TensorFlow, Keras or LiteRT say it.
    """
    try:
        yield
    except (ValueError, OSError, RuntimeError) as error:
        told = str(error).strip().splitlines()[:1]
        raise StageError(
            f"{path.name} of the bundle can't be loaded ({', '.join(told)}): train it again with this version"
        ) from error


def judge_bundle(
    folder: Path,
    bundle: ModelBundle,
    runtime: Runtime,
    index: ShardIndex,
    split: Split,
    shards: Sequence[str],
) -> Judgement:
    """Ask one of a bundle's served models about a split, and measure what it says.

    Args:
        folder: the bundle's, local.
        bundle: its document.
        runtime: which of its models.
        index: of the records, whose classes are the bundle's.
        split: which split.
        shards: the split's, local paths.

    Raises:
        InputError: a shard is damaged.
    """
    answer = bundle_answer(folder, runtime)
    predictions = answer_all(answer, shards, bundle.image, index.examples(split))
    metrics = evaluate(
        predictions.probabilities,
        predictions.labels,
        bundle.class_names,
        temperature=bundle.calibration.temperature,
    )
    return Judgement(split, predictions, metrics)
