"""Work in threads that a process which ends doesn't wait for: a download or a bucket may take long."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def begin(work: Callable[[], T]) -> "Future[T]":
    """Begin it in a thread of its own."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # it can't be cancelled, only left alone

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - whoever waits for it raises it again
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


async def in_daemon(work: Callable[[], T]) -> T:
    """Do it, and let the event loop go on meanwhile."""
    return await asyncio.wrap_future(begin(work))
