"""`--profile N`: what the devices do during N calls, for TensorBoard's profile page."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf


class Profile:
    """A profile of some calls, from the second on: the first one traces the graph."""

    def __init__(self, folder: Path, calls: int) -> None:
        self._folder, self._calls = folder, calls
        self._done, self._running = 0, False

    @contextmanager
    def call(self) -> Iterator[None]:
        """Count a call, and profile it if it is one of those that are wanted."""
        if self._done == 1 and self._calls:
            tf.profiler.experimental.start(str(self._folder))
            self._running = True
        yield
        self._done += 1
        if self._done == 1 + self._calls:
            self.close()

    def close(self) -> None:
        """Write what was recorded, if it isn't written yet."""
        if self._running:
            tf.profiler.experimental.stop()
            self._running = False
