"""What runs the network: uint8 RGB [size, size, 3] in 0…255 in, float32 [classes] of probabilities out.

`litert` runs `model.tflite` and needs no TensorFlow; `tensorflow` runs `saved_model/` (on a GPU, if its
TensorFlow has one). `auto` is LiteRT where it is installed, else TensorFlow.
"""

from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from contracts.bundle import LITERT_MODEL, SAVED_MODEL
from contracts.errors import InputError, StageError

FLOAT_TOLERANCE: Final = 0.2
"""The golden probabilities are the quantized `model.tflite`'s; the float SavedModel may differ so far."""


class RuntimeName(StrEnum):
    """The values of `--runtime`."""

    AUTO = "auto"
    LITERT = "litert"
    TENSORFLOW = "tensorflow"

    def resolved(self) -> "RuntimeName":
        """LITERT or TENSORFLOW: what `auto` means in this environment."""
        if self is not RuntimeName.AUTO:
            return self
        return RuntimeName.LITERT if find_spec("ai_edge_litert") else RuntimeName.TENSORFLOW

    @property
    def model(self) -> str:
        """The file or folder of a bundle that it runs."""
        return SAVED_MODEL if self.resolved() is RuntimeName.TENSORFLOW else LITERT_MODEL


class Runtime(Protocol):
    """A loaded network. It may be called from `concurrency` threads at once."""

    name: RuntimeName
    concurrency: int
    extra_tolerance: float
    """By how much it may differ from the golden probabilities beyond the bundle's own tolerance."""

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Give the probabilities of one image."""
        ...


def load_runtime(name: RuntimeName, folder: Path, threads: int) -> Runtime:
    """Load the network of the bundle in `folder`.

    Raises:
        InputError: what the runtime needs isn't installed.
        StageError: the file can't be loaded.
    """
    path = folder / name.model
    try:
        if name.resolved() is RuntimeName.TENSORFLOW:
            return TensorFlowRuntime(path)
        return LiteRTRuntime(path, threads)
    except ImportError as error:
        raise InputError(
            f"--runtime {name} needs a package that isn't installed here ({error}): "
            "install it, or take another --runtime"
        ) from None
    except (ValueError, RuntimeError, OSError) as error:
        raise StageError(
            f"{path.name} of the bundle can't be loaded: {error}; export the model again"
        ) from error


class LiteRTRuntime:
    """`model.tflite` in one interpreter, with a thread for each core: the setting for the least latency."""

    name = RuntimeName.LITERT
    concurrency = 1
    extra_tolerance = 0.0

    def __init__(self, path: Path, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(model_path=str(path), num_threads=threads)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Give the probabilities of one image."""
        self._interpreter.set_tensor(self._input, pixels[np.newaxis])
        self._interpreter.invoke()
        output: NDArray[np.float32] = self._interpreter.get_tensor(self._output)[0]
        return output


class TensorFlowRuntime:
    """The signature `pixels` of `saved_model/`; TensorFlow chooses the device and the threads itself."""

    name = RuntimeName.TENSORFLOW
    concurrency = 1
    extra_tolerance = FLOAT_TOLERANCE

    def __init__(self, path: Path) -> None:
        import tensorflow as tf

        self._model = tf.saved_model.load(str(path))  # the signature holds no reference to its variables
        self._signature = self._model.signatures["pixels"]
        self._input = next(iter(self._signature.structured_input_signature[1]))
        self._tensor = tf.constant

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Give the probabilities of one image."""
        outputs = self._signature(**{self._input: self._tensor(pixels[np.newaxis])})
        probabilities: NDArray[np.float32] = outputs["probabilities"].numpy()[0]
        return probabilities
