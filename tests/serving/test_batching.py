"""Calls of many threads run together, and each gets its own result."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.batching import Batcher
from serving.errors import StoppingError


class Doubler:
    """What is run: it keeps the batches that it was given."""

    def __init__(self):
        self.batches = []

    def __call__(self, items):
        self.batches.append(list(items))
        if "bad" in items:
            raise ValueError("bad")
        return [2 * item for item in items]


@settings(max_examples=30, deadline=None)
@given(
    calls=st.lists(st.integers(), min_size=1, max_size=40),
    threads=st.integers(1, 12),
    max_batch=st.integers(1, 9),
    max_delay=st.sampled_from([0, 0.002]),
)
def test_each_call_gets_its_own_result(calls, threads, max_batch, max_delay):
    run = Doubler()
    batcher = Batcher(run, max_batch, max_delay)
    with ThreadPoolExecutor(threads) as pool:
        assert list(pool.map(batcher, calls)) == [2 * call for call in calls]
    batcher.close()
    assert sorted(item for batch in run.batches for item in batch) == sorted(calls)
    assert max(map(len, run.batches)) <= min(max_batch, threads)


def test_who_comes_together_runs_together():
    run = Doubler()
    batcher = Batcher(run, max_batch=4, max_delay_s=60)  # only a full batch goes before the minute is over
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(batcher, [1] * 8)) == 16
    batcher.close()
    assert [len(batch) for batch in run.batches] == [4, 4]


def test_a_failure_reaches_everyone_of_its_batch_and_nobody_else():
    batcher = Batcher(Doubler(), max_batch=2, max_delay_s=60)
    with ThreadPoolExecutor(2) as pool:
        failed = [pool.submit(batcher, item) for item in ("bad", "good")]
        for future in failed:
            with pytest.raises(ValueError, match="bad"):
                future.result(60)
        assert list(pool.map(batcher, "ab")) == ["aa", "bb"]
    batcher.close()


def test_closing_wakes_everybody():
    go = threading.Event()

    def run(items):
        go.wait(60)
        return items

    batcher = Batcher(run, max_batch=1, max_delay_s=0)
    with ThreadPoolExecutor(4) as pool:
        running, *waiting = [pool.submit(batcher, 0)] + [pool.submit(batcher, item) for item in (1, 2)]
        while len(batcher._waiting) < 2:
            time.sleep(0.01)
        closing = pool.submit(batcher.close)
        while not batcher._closed:
            time.sleep(0.01)
        go.set()
        closing.result(60)
        assert running.result(60) == 0
        for future in waiting:
            with pytest.raises(StoppingError):
                future.result(60)
    with pytest.raises(StoppingError):
        batcher(3)
