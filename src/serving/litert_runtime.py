"""`model.tflite` in several interpreters, of which each call borrows one.

An interpreter holds its own copy of the weights, packed for the processor, and its own activations.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from serving.memory import release_pages
from serving.runtimes import RuntimeName


class LiteRTRuntime:
    """As many workers as there are interpreters."""

    name = RuntimeName.LITERT
    extra_tolerance = 0.0

    def __init__(self, path: Path, threads: Sequence[int]) -> None:
        """Load it.

        Args:
            path: of `model.tflite`.
            threads: of each interpreter.
        """
        self.concurrency = len(threads)
        self._pool = Pool([Interpreter(path, count) for count in threads])

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Give the probabilities of one image; wait while all interpreters are at work."""
        with self._pool.borrow() as interpreter:
            return interpreter(pixels)

    def close(self) -> None:
        """Free the interpreters."""
        self._pool = Pool([])


class Interpreter:
    """One interpreter, for one caller at a time."""

    def __init__(self, path: Path, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter as LiteRTInterpreter

        self._interpreter = LiteRTInterpreter(model_path=str(path), num_threads=threads)
        self._interpreter.allocate_tensors()
        details = self._interpreter.get_input_details()[0]
        self._input = details["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self(np.zeros(details["shape"][1:], details["dtype"]))  # the first call sets the rest up
        release_pages(path)  # it mapped the file, read all of it once, and works on its packed copy

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Give the probabilities of one image."""
        self._interpreter.set_tensor(self._input, pixels[np.newaxis])
        self._interpreter.invoke()
        output: NDArray[np.float32] = self._interpreter.get_tensor(self._output)[0]
        return output


class Pool:
    """Interpreters, of which the first is the quickest if it has the cores to itself.

    A call that is alone takes the first, one beside others a free one of the rest, else the first after all.
    """

    def __init__(self, interpreters: Sequence[Interpreter]) -> None:
        self._interpreters = interpreters
        self._free = set(range(len(interpreters)))
        self._changed = threading.Condition()

    @contextmanager
    def borrow(self) -> Iterator[Interpreter]:
        """Give one for the block; wait until there is one."""
        with self._changed:
            self._changed.wait_for(lambda: self._free)
            alone = len(self._free) == len(self._interpreters)
            index = 0 if alone else max(self._free)
            self._free.remove(index)
        try:
            yield self._interpreters[index]
        finally:
            with self._changed:
                self._free.add(index)
                self._changed.notify()
