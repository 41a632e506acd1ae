"""The lane: bounded, in order, and not torn by a failure or its end."""

import asyncio
import threading
from functools import partial

import pytest

from serving.errors import BadImageError, QueueFullError
from serving.queueing import Lane


@pytest.fixture
def lane():
    lane = Lane(threads=1, capacity=2)
    yield lane
    lane.close()


def test_room_is_taken_while_images_wait_and_given_back_after(lane):
    async def crowd():
        first = asyncio.create_task(lane.map(str.upper, ["a", "b"]))
        await asyncio.sleep(0)  # the first has taken both places
        with pytest.raises(QueueFullError, match="2 images wait"):
            await lane.map(str.upper, ["c"])
        return [*await first, *await lane.map(str.upper, ["d"])]

    assert asyncio.run(crowd()) == ["A", "B", "D"]


def test_a_bad_image_gives_its_room_back(lane):
    def work(item):
        if item == "bad":
            raise BadImageError(item)
        return item

    async def bad_then_good():
        for _ in range(3):
            with pytest.raises(BadImageError, match="bad"):
                await lane.map(work, ["bad", "good"])
            while lane.waiting:
                await asyncio.sleep(0.01)
        return await lane.map(work, ["good", "good"])

    assert asyncio.run(bad_then_good()) == ["good", "good"]


@pytest.mark.parametrize("drop", [False, True])
def test_at_its_end_what_waits_is_done_or_dropped(lane, drop):
    go = threading.Event()

    def work(item):
        go.wait(60)
        return item

    async def close_midway():
        answers = [asyncio.create_task(lane.map(work, [item])) for item in "ab"]
        await asyncio.sleep(0.05)  # a is under way, b waits
        end = partial(lane.drop, 60) if drop else lane.close
        closing = asyncio.create_task(asyncio.to_thread(end))
        await asyncio.sleep(0.05)
        go.set()
        await closing
        return await asyncio.gather(*answers, return_exceptions=True)

    first, second = asyncio.run(close_midway())
    assert first == ["a"]
    assert isinstance(second, asyncio.CancelledError) if drop else second == ["b"]


def test_what_takes_too_long_is_left_alone(lane):
    go = threading.Event()

    async def drop_midway():
        asking = asyncio.create_task(lane.map(lambda _: go.wait(60), ["slow", "waits"]))
        await asyncio.sleep(0.05)
        asking.cancel()
        return await asyncio.to_thread(lane.drop, 0.05)

    assert asyncio.run(drop_midway()) is False
    go.set()
