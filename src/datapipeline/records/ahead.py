"""A function mapped over items by threads that run a few items ahead: for requests that mostly wait."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ahead(
    function: Callable[[T], R], items: Iterable[T], waits: Callable[[T], bool], threads: int
) -> Iterator[R]:
    """Yield `function(item)` for every item, in order.

    Args:
        function: what to call; from several threads for the items that it waits for.
        items: what to map over; at most `threads` of them are taken ahead.
        waits: whether it is worth a thread; others are done when their turn comes.
        threads: how many wait at once.
    """
    pending: deque[tuple[T, Future[R] | None]] = deque()
    with ThreadPoolExecutor(threads) as pool:  # no thread is started before there is something to do
        for item in items:
            pending.append((item, pool.submit(function, item) if waits(item) else None))
            if len(pending) >= threads or pending[0][1] is None:
                yield _result(function, *pending.popleft())
        while pending:
            yield _result(function, *pending.popleft())


def _result(function: Callable[[T], R], item: T, future: Future[R] | None) -> R:
    return function(item) if future is None else future.result()
