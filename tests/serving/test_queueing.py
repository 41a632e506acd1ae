import asyncio

import pytest

from serving.errors import BadImageError, QueueFullError
from serving.predictor import load_predictor
from serving.queueing import Lane


@pytest.fixture
def lane(tiny_bundle):
    lane = Lane(load_predictor(str(tiny_bundle)), capacity=2)
    yield lane
    lane.close()


def test_room_is_taken_while_images_wait_and_given_back_after(lane, picture):
    async def crowd():
        first = asyncio.create_task(lane.predict([picture("red"), picture("blue")], 1))
        await asyncio.sleep(0)  # the first has taken both places
        with pytest.raises(QueueFullError, match="2 images wait"):
            await lane.predict([picture("red")], 1)
        names = [best[0].name for best in await first]
        return names + [best[0].name for best in await lane.predict([picture("green")], 1)]

    assert asyncio.run(crowd()) == ["red", "blue", "green"]


def test_a_bad_image_gives_its_room_back(lane, picture):
    async def bad_then_good():
        for _ in range(3):
            with pytest.raises(BadImageError, match="image 0: not an image"):
                await lane.predict([b"nothing", picture("red")], 1)
            while lane._waiting:
                await asyncio.sleep(0.01)
        return await lane.predict([picture("red"), picture("red")], 1)

    assert len(asyncio.run(bad_then_good())) == 2
