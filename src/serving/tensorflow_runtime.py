"""The signature `pixels` of `saved_model/`: uint8 [n, size, size, 3] in, `probabilities` [n, classes] out.

TensorFlow chooses the device and the threads itself; calls from several threads run as one batch.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from serving.batching import Batcher
from serving.runtimes import RuntimeName

FLOAT_TOLERANCE: Final = 0.2
"""The golden probabilities are the quantized `model.tflite`'s; the float SavedModel may differ so far."""


class TensorFlowRuntime:
    """Batches of a power of two, so that a GPU meets few shapes, each of which it prepares for once."""

    name = RuntimeName.TENSORFLOW
    extra_tolerance = FLOAT_TOLERANCE

    def __init__(self, path: Path, max_batch: int, max_delay_s: float) -> None:
        import tensorflow as tf

        self._model = tf.saved_model.load(str(path))  # the signature holds no reference to its variables
        self._signature = self._model.signatures["pixels"]
        self._input, spec = next(iter(self._signature.structured_input_signature[1].items()))
        self._tensor = tf.constant
        self._sizes = batch_sizes(max_batch)
        for size in self._sizes:
            self._run([np.zeros(spec.shape[1:], np.uint8)] * size)
        self._batcher: Batcher[NDArray[np.uint8], NDArray[np.float32]] = Batcher(
            self._run, max_batch, max_delay_s
        )
        self.concurrency = 2 * max_batch  # the next batch is decoded while one runs

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Give the probabilities of one image."""
        return self._batcher(pixels)

    def close(self) -> None:
        """Let go of the network."""
        self._batcher.close()
        del self._model, self._signature

    def _run(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Give float32 [images, classes]."""
        batch = np.zeros(
            (next(size for size in self._sizes if size >= len(images)), *images[0].shape), np.uint8
        )
        batch[: len(images)] = images
        outputs = self._signature(**{self._input: self._tensor(batch)})
        probabilities: NDArray[np.float32] = outputs["probabilities"].numpy()[: len(images)]
        return probabilities


def batch_sizes(max_batch: int) -> list[int]:
    """The powers of two below `max_batch`, and itself."""
    return [*(1 << power for power in range((max_batch - 1).bit_length())), max_batch]
