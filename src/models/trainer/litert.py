"""The LiteRT file of a bundle: uint8 RGB [1, size, size, 3] in, probabilities float32 [1, classes] out.

Weights are stored as int8 and multiplied as such (dynamic range: activations are scaled as they come) where
that agrees with the float network, else as float16.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from contracts.bundle import LiteRT
from contracts.console import log
from contracts.errors import StageError
from models.trainer.calibrated import calibrated

LEAST_AGREEMENT = 0.98
"""Share of validation images for which int8 must name the float network's class, or else float16 is taken."""


class LiteRTModel:
    """A loaded file."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._path = path
        self._interpreter = Interpreter(str(path), num_threads=threads)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Answer a batch, image by image: uint8 [b, size, size, 3] to float32 [b, classes].

        Raises:
            StageError: an answer is not a number.
        """
        answers = np.concatenate([self._answer(image[None]) for image in pixels])
        if not np.isfinite(answers).all():
            raise StageError(f"{self._path.name} answers with NaN: the network or its conversion is broken")
        return answers

    def _answer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        self._interpreter.set_tensor(self._input, pixels)
        self._interpreter.invoke()
        return np.asarray(self._interpreter.get_tensor(self._output), np.float32)


def write_litert(
    network: keras.Model, path: Path, batches: Iterable[NDArray[np.uint8]], temperature: float = 1.0
) -> LiteRT:
    """Convert a network to the smallest file that agrees with it.

    Args:
        network: float32; uint8 RGB [batch, size, size, 3] to logits.
        path: where to.
        batches: pixels of validation images, uint8 [b, size, size, 3].
        temperature: the file's probabilities are softmax(logits / temperature).

    Raises:
        StageError: not even float16 agrees, so the file is not the network.
    """
    kept = [(pixels, np.asarray(network(pixels, training=False)).argmax(axis=1)) for pixels in batches]
    examples = sum(len(pixels) for pixels, _ in kept)
    path.write_bytes(convert(network, temperature=temperature))
    agreement = agreement_of(path, kept)
    if agreement >= LEAST_AGREEMENT:
        return LiteRT(quantization="int8-dynamic-range", agreement=agreement, examples=examples)
    log("int8 disagrees with float, so the LiteRT file keeps float16", agreement=agreement)
    path.write_bytes(convert(network, tf.float16, temperature))
    agreement = agreement_of(path, kept)
    if agreement < LEAST_AGREEMENT:
        raise StageError(
            f"{path.name} with float16 weights names the float network's class for only {agreement:.1%} of "
            f"{examples} validation images, expected {LEAST_AGREEMENT:.0%}: the conversion is wrong"
        )
    return LiteRT(quantization="float16", agreement=agreement, examples=examples)


def convert(network: keras.Model, weights: Any = None, temperature: float = 1.0) -> bytes:
    """Convert a network; `weights` is None for int8 dynamic range, or `tf.float16`."""
    shape = [1, *network.inputs[0].shape[1:]]

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.uint8, "pixels")])  # type: ignore[untyped-decorator]
    def answer(pixels: Any) -> Any:
        return calibrated(network, pixels, temperature)

    # Without the network as second argument, although TensorFlow advises it: with it the variables of a
    # Keras 3 network stay outside the file, which then answers NaN (XNNPACK) or fails to read them.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([answer.get_concrete_function()])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if weights is not None:
        converter.target_spec.supported_types = [weights]
    return bytes(converter.convert())


def agreement_of(path: Path, kept: Iterable[tuple[NDArray[np.uint8], NDArray[np.integer[Any]]]]) -> float:
    """Share of images for which a LiteRT file names the given class."""
    model = LiteRTModel(path)
    same = [model.probabilities(pixels).argmax(axis=1) == labels for pixels, labels in kept]
    return float(np.concatenate(same).mean())
