"""A loaded bundle: encoded bytes of one image in, class names with probabilities out.

It is ready only after the golden images of the bundle have come out as they did at the export.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contracts.bundle import GOLDEN, ModelBundle, open_bundle
from contracts.errors import StageError
from imaging import MAX_PIXELS, ImageError, prepare
from serving.cores import usable_cores
from serving.runtimes import Runtime, RuntimeName, load_runtime


class Ranked(NamedTuple):
    """A class and how probable the network holds it."""

    name: str
    probability: float


class Predictor:
    """The network with its preprocessing and its class names. Called from one thread at a time."""

    def __init__(self, bundle: ModelBundle, runtime: Runtime, max_pixels: int = MAX_PIXELS) -> None:
        self.bundle = bundle
        self.runtime = runtime
        self._max_pixels = max_pixels

    def probabilities(self, data: bytes) -> NDArray[np.float32]:
        """Give float32 [classes] for an image of any format that `imaging` decodes.

        Raises:
            ImageError: the bytes are no usable image.
        """
        return self.runtime(prepare(data, self.bundle.image, self._max_pixels))

    def predict(self, data: bytes, top_k: int) -> list[Ranked]:
        """Give the `top_k` most probable classes, the best first.

        Raises:
            ImageError: the bytes are no usable image.
        """
        return rank(self.probabilities(data), self.bundle.class_names, top_k)


def rank(probabilities: NDArray[np.float32], names: Sequence[str], top_k: int) -> list[Ranked]:
    """Name the `top_k` largest of float32 [classes], the largest first; of equals the first class."""
    best = np.argsort(-probabilities, kind="stable")[:top_k]
    return [Ranked(names[index], float(probabilities[index])) for index in best]


def load_predictor(
    uri: str,
    runtime: RuntimeName = RuntimeName.AUTO,
    max_pixels: int = MAX_PIXELS,
    *,
    require_blessed: bool = False,
) -> Predictor:
    """Fetch and verify a bundle, load its network, and replay its golden images.

    Args:
        uri: the bundle's folder: a path or gs://bucket/prefix.
        runtime: what runs the network.
        max_pixels: an image with more is refused.
        require_blessed: refuse a bundle that the gate didn't bless.

    Raises:
        InputError: the bundle isn't whole, or isn't blessed and must be, or the runtime isn't installed.
        StageError: the network can't be loaded, or gives other probabilities than at the export.
    """
    # By name: a bundle also holds models and reports that no server needs to fetch.
    with open_bundle(uri, wanted=[runtime.model, GOLDEN]) as (folder, bundle):
        if require_blessed:
            bundle.check_blessed(uri)
        predictor = Predictor(bundle, load_runtime(runtime, folder, usable_cores()), max_pixels)
        replay_golden(predictor, folder)
    return predictor


def replay_golden(predictor: Predictor, folder: Path) -> None:
    """Check every golden image of the bundle in `folder`.

    Raises:
        StageError: one comes out differently, so this server would answer otherwise than the model that was
            judged: a changed file, another decoder or another runtime.
    """
    tolerance = predictor.bundle.golden_tolerance + predictor.runtime.extra_tolerance
    for golden in predictor.bundle.golden:
        expected = np.asarray(golden.probabilities, np.float32)
        try:
            got = predictor.probabilities((folder / golden.file).read_bytes())
        except (ImageError, ValueError) as error:
            raise _replay_failed(golden.file, str(error)) from error
        if not got.size == expected.size == len(predictor.bundle.class_names):
            counts = f"{expected.size} expected, {got.size} given"
            names = len(predictor.bundle.class_names)
            raise _replay_failed(golden.file, f"probabilities: {counts}, for {names} classes")
        difference = float(np.abs(got - expected).max())
        if not difference <= tolerance:  # NaN isn't within anything
            raise _replay_failed(
                golden.file, f"a probability differs by {difference:.4f}, more than {tolerance:.4f}"
            )


def _replay_failed(file: str, reason: str) -> StageError:
    return StageError(
        f"the golden image {file} doesn't come out as at the export: {reason}; "
        "the bundle and this server don't fit together: export the model again with this version"
    )
