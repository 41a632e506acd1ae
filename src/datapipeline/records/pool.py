"""A function mapped over independent tasks by processes of this machine.

Each process has a pipe of its own. With `concurrent.futures` they share one, and a process that is killed
while it writes there leaves everybody waiting for ever.
"""

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import connection, forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any, Final, NamedTuple, TypeVar

from contracts.errors import StageError

S = TypeVar("S")
T = TypeVar("T")
R = TypeVar("R")

_NO_MORE: Final = None
"""Sent in place of a task. That a pipe is closed wouldn't tell: forked processes hold each other's ends."""

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
        tasks: what to map over; taken when there is a process that has nothing to do.
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
    with _crew(count, function, shared) as crew:
        yield from _results(crew, iter(tasks))


class _Worker(NamedTuple):
    process: BaseProcess
    pipe: Connection


@contextmanager
def _crew(count: int, function: Callable[[Any, Any], Any], shared: Any) -> Iterator[list[_Worker]]:
    """Processes that wait for tasks; whoever leaves early waits for none: nothing begun has a final name."""
    context = _context(function)
    crew: list[_Worker] = []
    try:
        with _signals_held():
            for _ in range(count):
                crew.append(_start(context, function, shared))  # noqa: PERF401 (a failure leaves the others)
        yield crew
        for worker in crew:
            worker.pipe.send(_NO_MORE)
    except BaseException:
        for worker in crew:
            worker.process.kill()
        raise
    finally:
        for worker in crew:
            worker.process.join()
            worker.pipe.close()


def _results(crew: list[_Worker], tasks: Iterator[T]) -> Iterator[Any]:
    busy: dict[Connection, None] = {}
    for worker in crew:
        _hand_out(worker.pipe, tasks, busy)
    while busy:
        for pipe in connection.wait(list(busy)):
            assert isinstance(pipe, Connection)  # noqa: S101 (for the type)
            try:
                done, result = pipe.recv()
            except (EOFError, OSError):  # before its answer, or within
                raise StageError(
                    "a worker process died, most likely for want of memory: try fewer --workers"
                ) from None
            del busy[pipe]
            if not done:
                raise result
            _hand_out(pipe, tasks, busy)
            yield result


def _hand_out(pipe: Connection, tasks: Iterator[T], busy: dict[Connection, None]) -> None:
    # One at a time: with more on their way, both sides could wait for each other to read.
    for task in tasks:
        with suppress(ConnectionError):  # it died: reading will tell
            pipe.send(task)
        busy[pipe] = None
        return


def _context(function: Callable[..., Any]) -> BaseContext:
    """How processes start: forked, which costs neither time nor memory, while there is no other thread.

    A fork copies locks that threads hold, so beside threads a server forks them, which imports once.
    """
    if sys.platform == "linux" and threading.active_count() == 1:
        return multiprocessing.get_context("fork")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([function.__module__])
    with _signals_held():
        forkserver.ensure_running()
    return context


@contextmanager
def _signals_held() -> Iterator[None]:
    # Ctrl-C reaches the whole group: who is only being started would answer with a traceback. Processes
    # inherit what is held, until they have their own handlers.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(context: BaseContext, function: Callable[[Any, Any], Any], shared: Any) -> _Worker:
    ours, theirs = context.Pipe()
    process: BaseProcess = context.Process(  # type: ignore[attr-defined]
        target=_work, args=(theirs, function, shared, dict(os.environ))
    )
    process.start()
    theirs.close()  # else a dead worker's pipe would never end
    return _Worker(process, ours)


def _work(
    pipe: Connection, function: Callable[[Any, Any], Any], shared: Any, environment: dict[str, str]
) -> None:
    """What a worker process does: tasks, until there are no more."""
    os.environ.clear()  # the fork server keeps the environment that it was first started in
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, ConnectionError):
        while (task := pipe.recv()) is not _NO_MORE:
            pipe.send(_answer(function, shared, task))


def _answer(function: Callable[[S, T], R], shared: S, task: T) -> tuple[bool, R | Exception]:
    try:
        return True, function(shared, task)
    except Exception as error:  # noqa: BLE001 (it is raised where the result is asked for)
        error.add_note("".join(traceback.format_exception(error)))  # a traceback itself can't be sent
        return False, error


def _end_with_parent() -> None:
    # A parent that was killed can't tell its workers to stop: without this they would end their tasks first.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
