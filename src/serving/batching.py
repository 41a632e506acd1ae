"""Calls from many threads, run together: what a GPU needs to be kept busy.

In: items, one a call. Out: each call's own result, of a function that takes a list of items.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Generic, NamedTuple, TypeVar

from serving.errors import StoppingError

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Call(NamedTuple, Generic[Item, Result]):
    item: Item
    future: Future[Result]
    since: float
    """On the monotonic clock."""


class Batcher(Generic[Item, Result]):
    """Collects calls up to a number or a delay, and runs them in a thread of its own."""

    def __init__(
        self, run: Callable[[Sequence[Item]], Iterable[Result]], max_batch: int, max_delay_s: float
    ) -> None:
        """Begin.

        Args:
            run: gives a result for each of 1…max_batch items, in their order.
            max_batch: items of a run.
            max_delay_s: how long a batch's first item waits for others.
        """
        self._run = run
        self._max_batch = max_batch
        self._max_delay_s = max_delay_s
        self._waiting: deque[_Call[Item, Result]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="batches", daemon=True)
        self._thread.start()

    def __call__(self, item: Item) -> Result:
        """Give the item's result, which comes with those of other threads' items.

        Raises:
            StoppingError: the batcher was closed before.
            Exception: what the run raised, for each of its items.
        """
        future: Future[Result] = Future()
        with self._changed:
            if self._closed:
                raise _closed()
            self._waiting.append(_Call(item, future, time.monotonic()))
            self._changed.notify()
        return future.result()

    def close(self) -> None:
        """Let the run under way end, and refuse what waits for another."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while batch := self._collect():
            try:
                results = self._run([call.item for call in batch])
            except BaseException as error:  # noqa: BLE001 - the callers raise it
                for call in batch:
                    call.future.set_exception(error)
            else:
                for call, result in zip(batch, results, strict=True):
                    call.future.set_result(result)
        for call in self._waiting:
            call.future.set_exception(_closed())

    def _collect(self) -> list[_Call[Item, Result]]:
        """Wait for a batch; an empty one at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if self._closed:
                return []
            waited = time.monotonic() - self._waiting[0].since
            self._changed.wait_for(
                lambda: len(self._waiting) >= self._max_batch or self._closed,
                max(0, self._max_delay_s - waited),
            )
            return [self._waiting.popleft() for _ in range(min(self._max_batch, len(self._waiting)))]


def _closed() -> StoppingError:
    return StoppingError("the model's place is taken or the server stops: send the request again")
