"""What a network answered for the images of a split, and the table that keeps it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Predictions:
    """A network's answers for one split, image by image."""

    filenames: Sequence[str]
    """As in the records: the path inside the raw folder."""
    labels: Ints
    """int [n]."""
    probabilities: Floats
    """float32 [n, classes]."""

    def __post_init__(self) -> None:
        shapes = len(self.filenames), self.labels.shape, self.probabilities.shape
        n = len(self.filenames)
        if self.labels.shape != (n,) or self.probabilities.ndim != 2 or len(self.probabilities) != n:
            raise ValueError(f"expected n filenames, labels [n] and probabilities [n, classes], got {shapes}")

    @property
    def predicted(self) -> Ints:
        """The most probable label of each image, int [n]."""
        return np.asarray(self.probabilities.argmax(axis=1))
