"""What runs the network: uint8 RGB [size, size, 3] in 0…255 in, float32 [classes] of probabilities out.

`litert` runs `model.tflite` and needs no TensorFlow; `tensorflow` runs `saved_model/` (on a GPU, if its
TensorFlow has one). `auto` is LiteRT where it is installed, else TensorFlow.
"""

from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from contracts.bundle import LITERT_MODEL, SAVED_MODEL
from contracts.errors import InputError, StageError
from serving.cores import usable_cores


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


CORES_A_WORKER: Final = 2
"""Of LiteRT's. A worker a core answers a few more requests, but each packs the weights anew: on two cores
that was 5 % more answers for a third more memory (`make bench-serving`)."""


class Execution(NamedTuple):
    """How much a runtime does at once. As it stands: one image, by all cores."""

    workers: int = 1
    """Of LiteRT: images in the network at once; 0: one for every two cores."""
    threads: int = 0
    """Of LiteRT: for each worker; 0: from the cores."""
    max_batch: int = 1
    """Of TensorFlow: images run together."""
    max_delay_ms: float = 0
    """Of TensorFlow: that the first image of a batch waits for others."""

    def interpreters(self, cores: int) -> list[int]:
        """The threads of each of LiteRT's interpreters.

        The first has all cores, for whoever comes alone; the others, which run side by side, their share.
        """
        workers = self.workers or max(1, cores // (self.threads or CORES_A_WORKER))
        return [self.threads or cores] + [self.threads or max(1, cores // workers)] * (workers - 1)


ONE_AT_A_TIME: Final = Execution()


class Runtime(Protocol):
    """A loaded network. It may be called from `concurrency` threads at once."""

    name: RuntimeName
    concurrency: int
    extra_tolerance: float
    """By how much it may differ from the golden probabilities beyond the bundle's own tolerance."""

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Give the probabilities of one image."""
        ...

    def close(self) -> None:
        """Free its memory; nobody calls it any more."""
        ...


def load_runtime(name: RuntimeName, folder: Path, execution: Execution) -> Runtime:
    """Load the network of the bundle in `folder`.

    Raises:
        InputError: what the runtime needs isn't installed.
        StageError: the file can't be loaded.
    """
    path = folder / name.model
    try:
        if name.resolved() is RuntimeName.TENSORFLOW:
            from serving.tensorflow_runtime import TensorFlowRuntime

            return TensorFlowRuntime(path, execution.max_batch, execution.max_delay_ms / 1000)
        from serving.litert_runtime import LiteRTRuntime

        return LiteRTRuntime(path, execution.interpreters(usable_cores()))
    except ImportError as error:
        raise InputError(
            f"--runtime {name} needs a package that isn't installed here ({error}): "
            "install it, or take another --runtime"
        ) from None
    except (ValueError, RuntimeError, OSError) as error:
        raise StageError(
            f"{path.name} of the bundle can't be loaded: {error}; export the model again"
        ) from error
