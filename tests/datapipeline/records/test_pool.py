import multiprocessing
import operator
import os
import time

import pytest

from contracts.errors import StageError
from datapipeline.records.pool import run


@pytest.mark.parametrize("workers", [1, 2, None])
def test_every_task_is_done_once(workers):
    assert sorted(run(operator.add, 100, range(50), 50, workers)) == list(range(100, 150))


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_task_raises_arrives(workers):
    with pytest.raises(ZeroDivisionError):
        list(run(operator.truediv, 1, [1, 2, 0], 3, workers))


def test_a_process_that_dies_is_an_error_and_no_endless_wait():
    with pytest.raises(StageError, match="a worker process died"):
        list(run(operator.call, os._exit, [1, 1], 2, 2))


def test_a_process_that_is_killed_while_it_hands_its_result_over_is_no_endless_wait():
    results = run(operator.mul, b"x", [50_000_000] * 6, 6, 2)
    next(results)
    time.sleep(0.3)  # both are handing over far more than a pipe holds
    multiprocessing.active_children()[0].kill()
    with pytest.raises(StageError, match="a worker process died"):
        list(results)
    assert not multiprocessing.active_children()


def test_who_stops_listening_does_not_wait_for_the_rest():
    started = time.monotonic()
    results = run(operator.call, time.sleep, [0.0, *[0.5] * 200], 201, 2)
    next(results)
    results.close()
    assert time.monotonic() - started < 20  # of fifty seconds of work
