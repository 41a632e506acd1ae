"""The lane to the network: decoding and inference in threads of their own, behind a bounded queue.

As many threads as the runtime keeps busy, and not the framework's pool of 40, where decoding would crowd out
inference and everybody's latency grow.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from serving.errors import QueueFullError

Item = TypeVar("Item")
Result = TypeVar("Result")


class Lane:
    """Work on images, begun in the order of arrival. Used from one event loop."""

    def __init__(self, threads: int, capacity: int) -> None:
        self._capacity = capacity
        self._waiting = 0
        self._threads = ThreadPoolExecutor(threads, "predict")
        self._under_way: set[Future[Any]] = set()  # a cancelled request's too, as a thread can't be stopped

    @property
    def waiting(self) -> int:
        """Images in the queue or under way."""
        return self._waiting

    async def map(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Do the work on each item, and give the results in the items' order.

        Raises:
            QueueFullError: there is no room for so many; nothing was begun.
        """
        self.require_room(len(items))
        futures = [self._submit(work, item) for item in items]
        try:
            return await asyncio.gather(*futures)
        finally:
            for future in futures:
                future.cancel()

    def require_room(self, images: int = 1) -> None:
        """Refuse what wouldn't fit in the queue, before work is done for it.

        Raises:
            QueueFullError: there is no room for so many.
        """
        if self._waiting + images > self._capacity:
            raise QueueFullError(
                f"{self._waiting} images wait already and at most {self._capacity} may: try again shortly"
            )

    def close(self) -> None:
        """Wait until all that was asked for is done."""
        self._threads.shutdown()

    def drop(self, seconds: float) -> bool:
        """Drop what waits, and give what is under way `seconds` to end; whether it did."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        return not wait(list(self._under_way), seconds).not_done

    def _submit(self, work: Callable[[Item], Result], item: Item) -> "asyncio.Future[Result]":
        begun = self._threads.submit(work, item)
        self._under_way.add(begun)
        begun.add_done_callback(self._under_way.discard)
        self._waiting += 1
        future = asyncio.wrap_future(begun)
        future.add_done_callback(self._leave)
        return future

    def _leave(self, _: "asyncio.Future[Any]") -> None:
        self._waiting -= 1
