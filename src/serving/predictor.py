"""A loaded bundle: encoded bytes of one image in, class names with probabilities out.

It is ready only after the golden images of the bundle have come out as they did at the export.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contracts.bundle import GOLDEN, ModelBundle, open_bundle
from contracts.class_info import ClassInfo, class_info_of
from contracts.errors import StageError
from imaging import MAX_PIXELS, STRANGERS_FORMATS, ImageError, prepare
from serving.runtimes import ONE_AT_A_TIME, Execution, Runtime, RuntimeName, load_runtime
from serving.source import find_source


class Ranked(NamedTuple):
    """A class and how probable the network holds it."""

    name: str
    probability: float


class Predictor:
    """The network with its preprocessing and its class names; called from `runtime.concurrency` threads."""

    def __init__(
        self,
        bundle: ModelBundle,
        runtime: Runtime,
        max_pixels: int = MAX_PIXELS,
        class_info: Mapping[str, ClassInfo] = MappingProxyType({}),
    ) -> None:
        self.bundle = bundle
        self.runtime = runtime
        self.class_info = class_info
        """What is told of some of the classes, by their names."""
        self._max_pixels = max_pixels

    def telling(self, class_info: Mapping[str, ClassInfo]) -> "Predictor":
        """The same network, of whose classes something else is told."""
        return Predictor(self.bundle, self.runtime, self._max_pixels, class_info)

    def probabilities(self, data: bytes) -> NDArray[np.float32]:
        """Give float32 [classes] for an image of any format that `imaging` decodes.

        Raises:
            ImageError: the bytes are no usable image.
        """
        return self.runtime(self.pixels(data))

    def pixels(self, data: bytes) -> NDArray[np.uint8]:
        """Give the network's input, uint8 RGB [size, size, 3], for an image of any format but AVIF.

        Raises:
            ImageError: the bytes are no usable image.
        """
        return prepare(data, self.bundle.image, self._max_pixels, STRANGERS_FORMATS)

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
    model: str,
    runtime: RuntimeName = RuntimeName.AUTO,
    max_pixels: int = MAX_PIXELS,
    *,
    require_blessed: bool = False,
    execution: Execution = ONE_AT_A_TIME,
) -> Predictor:
    """Fetch and verify a bundle, load its network, and replay its golden images.

    Args:
        model: a bundle's folder, or a champion that names one: see `serving.source`.
        runtime: what runs the network.
        max_pixels: an image with more is refused.
        require_blessed: refuse a bundle that the gate didn't bless.
        execution: how much it does at once.

    Raises:
        InputError: the bundle isn't whole, isn't the champion's, isn't blessed and must be, tells of
            classes in a form that isn't read, or the runtime isn't installed.
        StageError: the network can't be loaded, or gives other probabilities than at the export.
    """
    source = find_source(model)
    # By name: a bundle also holds models and reports that no server needs to fetch.
    with open_bundle(source.uri, wanted=[runtime.model, GOLDEN]) as (folder, bundle):
        source.check(bundle, require_blessed=require_blessed)
        class_info = class_info_of(source.uri, bundle)
        predictor = Predictor(bundle, load_runtime(runtime, folder, execution), max_pixels, class_info)
        try:
            replay_golden(predictor, folder)
        except BaseException:
            predictor.runtime.close()
            raise
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
