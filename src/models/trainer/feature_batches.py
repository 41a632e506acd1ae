"""Batches of what a frozen base made of the images, as `models.trainer.input_pipeline` gives them of images.

NumPy puts them together: an epoch of a head takes milliseconds, of which tf.data's graphs would be the most.
"""

from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models.trainer.input_pipeline import READ_AHEAD, Batches, Epoch, for_replicas, plain, untuned


class Rows(Protocol):
    """A table of float32 [n, channels] that is read by rows: an array, or files."""

    @property
    def shape(self) -> tuple[int, ...]:
        """[n, channels]."""

    def __getitem__(self, rows: Any, /) -> NDArray[np.float32]:
        """The rows of these numbers, int64 [m]: [m, channels]."""


class FeatureBatches:
    """(features float32 [replica's images, channels], labels, shares), in an order that can be changed."""

    def __init__(self, values: Rows, labels: NDArray[np.int64], batches: Batches) -> None:
        """Take features [n, channels] and labels [n]; rows are read as they are needed."""
        self._values, self._labels, self._batches = values, labels, batches
        self._order = np.arange(len(labels))
        data = tf.data.Dataset.range(batches.steps(len(labels))).map(self._graph())
        self._data = for_replicas(data, batches).with_options(_plainly()).prefetch(READ_AHEAD)

    def in_order(self) -> Any:
        """All batches, unshuffled."""
        self._order = np.arange(len(self._labels))
        return self._data

    def shuffled(self, epoch: Epoch) -> Any:
        """The rest of an epoch; until it is over, no other can be read."""
        self._order = np.random.default_rng(epoch.order).permutation(len(self._labels))
        return self._data.skip(epoch.done * self._batches.host_replicas)

    def _graph(self) -> Any:
        @plain
        def read(number: Any) -> tuple[Any, Any, Any]:
            kinds = (tf.float32, tf.int64, tf.float32)
            values, labels, shares = tf.numpy_function(self._read, [number], kinds)
            images = self._batches.of_host
            values = tf.ensure_shape(values, [images, self._values.shape[1]])
            return values, tf.ensure_shape(labels, [images]), tf.ensure_shape(shares, [images])

        return read

    def _read(self, number: int) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]:
        """This host's part of a global batch, padded with the batch's own rows at a share of zero."""
        batches = self._batches
        rows = self._order[number * batches.images : (number + 1) * batches.images]
        place = np.arange(batches.host * batches.of_host, (batches.host + 1) * batches.of_host)
        shares = np.where(place < len(rows), np.float32(1) / np.float32(len(rows)), np.float32(0))
        chosen = rows[place % len(rows)]
        return self._values[chosen], self._labels[chosen], shares


def _plainly() -> Any:
    """Without looking for ways to be faster: that takes longer than an epoch."""
    options = untuned()
    options.experimental_optimization.apply_default_optimizations = False
    return options
