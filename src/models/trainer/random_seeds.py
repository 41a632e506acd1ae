"""Seeds of ours for Keras' random layers, which else draw from a variable that every call moves on.

A seed is int64 [2], and all that is drawn follows from it: not from earlier calls, their order or process.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import keras
import tensorflow as tf

T = TypeVar("T")


class Seeds(keras.random.SeedGenerator):  # type: ignore[misc]  # Keras ships no types
    """What a layer takes for its `seed`: the first call's seed, the second's, … of one int64 [2]."""

    def __init__(self, seed: Any) -> None:
        # Not Keras' own __init__: it makes the variable.
        self._seed = seed
        self._drawn = 0

    def next(self, ordered: bool = True) -> Any:  # noqa: ARG002 - Keras' signature
        """Give the next seed: int64 [2]."""
        self._drawn += 1
        return derived(self._seed, self._drawn)


def derived(seed: Any, number: int) -> Any:
    """Derive a seed for one of several uses, which then draw independently."""
    return tf.random.fold_in(seed, tf.constant(number, tf.int64))


def eagerly(build: Callable[[], T]) -> T:
    """Call a function outside of the graph that is being traced.

    Keras' random layers make their variable in any case, and TensorFlow makes none while it traces a function
    of `tf.data`; `tf.init_scope` doesn't lift this, but a new thread begins without a graph.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(build).result()
