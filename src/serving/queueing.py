"""The one lane to the network: decoding and inference in a thread of their own, behind a bounded queue.

One thread, because the interpreter already uses every core: two would only get in each other's way. And not
the framework's pool of 40, where decoding would crowd out inference and everybody's latency grow.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from imaging import ImageError
from serving.errors import BadImageError, QueueFullError
from serving.predictor import Predictor, Ranked


class Lane:
    """Predictions one after the other, in the order of arrival. Used from one event loop."""

    def __init__(self, predictor: Predictor, capacity: int) -> None:
        self.predictor = predictor
        self._capacity = capacity
        self._waiting = 0
        self._thread = ThreadPoolExecutor(1, "predict")

    async def predict(self, images: Sequence[bytes], top_k: int) -> list[list[Ranked]]:
        """Give the `top_k` best classes of each image.

        Raises:
            QueueFullError: there is no room for so many; nothing was begun.
            BadImageError: one is no usable image; of several, the message has its index (from 0).
        """
        self.require_room(len(images))
        names = [f"image {index}: " for index in range(len(images))] if len(images) > 1 else [""]
        futures = [self._submit(name, image, top_k) for name, image in zip(names, images, strict=True)]
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
        """Drop what waits, and let the prediction under way end."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _submit(self, name: str, image: bytes, top_k: int) -> "asyncio.Future[list[Ranked]]":
        self._waiting += 1
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._thread, self._predict, name, image, top_k)
        future.add_done_callback(self._leave)
        return future

    def _leave(self, _: "asyncio.Future[Any]") -> None:
        self._waiting -= 1

    def _predict(self, name: str, image: bytes, top_k: int) -> list[Ranked]:
        try:
            return self.predictor.predict(image, top_k)
        except ImageError as error:
            raise BadImageError(f"{name}{error}") from None
