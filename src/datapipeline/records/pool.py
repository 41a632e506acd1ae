"""A function mapped over independent tasks by a pool of processes, a bounded number of tasks ahead."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import forkserver
from typing import Any, Final, TypeVar

from contracts.console import Terminated
from contracts.errors import StageError

S = TypeVar("S")
T = TypeVar("T")
R = TypeVar("R")

AHEAD: Final = 2
"""Tasks handed out for each process: one that it works on, and the next."""

HELD: Final = {signal.SIGINT, signal.SIGTERM}


def default_workers() -> int:
    """One process a core that this one may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(
    function: Callable[[S, T], R], shared: S, tasks: Iterable[T], total: int, workers: int | None
) -> Iterator[R]:
    """Yield `function(shared, task)` for every task, as they finish.

    With one process, or one task, the work is done here.

    Args:
        function: of a module's top level, so that other processes find it.
        shared: what every call needs; sent to each process once.
        tasks: what to map over; taken a few ahead of what is finished.
        total: how many tasks there are.
        workers: processes; None: one a core.

    Raises:
        StageError: a process died, as when the memory is full.
        Exception: whatever the function raised first; tasks that weren't begun stay undone.
    """
    count = min(workers or default_workers(), total)
    if count <= 1:
        yield from (function(shared, task) for task in tasks)
        return
    with _signals_held():
        pool = ProcessPoolExecutor(count, _context(function), _start, (shared, dict(os.environ)))
    try:
        yield from _bounded(pool, function, iter(tasks), count * AHEAD)
    except BrokenProcessPool:
        raise StageError(
            "a worker process died, most likely for want of memory: try fewer --workers"
        ) from None
    except (GeneratorExit, KeyboardInterrupt, Terminated):
        # Whoever stops this waits for no shard: what is begun has no final name yet.
        for worker in multiprocessing.active_children():
            worker.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _context(function: Callable[..., Any]) -> multiprocessing.context.BaseContext:
    """How processes start: forked, which costs neither time nor memory, while there is no other thread.

    A fork copies locks that threads hold, so beside threads a server forks them, which imports once.
    """
    if sys.platform == "linux" and threading.active_count() == 1:
        return multiprocessing.get_context("fork")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([function.__module__])
    forkserver.ensure_running()
    return context


@contextmanager
def _signals_held() -> Iterator[None]:
    # Stopped while it starts, a worker isn't known yet and can't be terminated: it would show a traceback.
    # Processes inherit what is held, until they have their own handlers.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _bounded(
    pool: ProcessPoolExecutor, function: Callable[[S, T], R], tasks: Iterable[T], ahead: int
) -> Iterator[R]:
    tasks = iter(tasks)
    with _signals_held():
        pending: set[Future[R]] = {pool.submit(_call, function, task) for task in islice(tasks, ahead)}
    while pending:
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        pending |= {pool.submit(_call, function, task) for task in islice(tasks, len(done))}
        for future in done:
            yield future.result()


class _Worker:
    """What a worker process keeps from task to task."""

    shared: Any = None


def _start(shared: Any, environment: dict[str, str]) -> None:
    os.environ.clear()  # the fork server keeps the environment that it was first started in
    os.environ.update(environment)
    _Worker.shared = shared
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # A parent that was killed can't tell its pool to stop: without this the workers would wait for ever.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _call(function: Callable[[Any, T], R], task: T) -> R:
    return function(_Worker.shared, task)
