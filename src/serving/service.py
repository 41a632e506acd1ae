"""What every door asks: images in, probabilities out, within the limits. The doors only translate."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from contracts.bundle import ModelBundle
from imaging import ImageError
from serving.errors import BadImageError, MalformedError, TooManyImagesError
from serving.exchange import current
from serving.loading import Loading, Served
from serving.metrics import Metrics
from serving.pixels import require_few_pixels
from serving.settings import Settings


class Classified(NamedTuple):
    """The answer to a request's images."""

    model: Served
    """Who answered: a reload may have put another one in its place meanwhile."""
    probabilities: NDArray[np.float32]
    """float32 [images, classes], each row summing to 1."""

    @property
    def bundle(self) -> ModelBundle:
        """The bundle that answered; `class_names` are in the order of the columns."""
        return self.model.bundle


class Service:
    """The served model behind its limits."""

    def __init__(self, settings: Settings, loading: Loading) -> None:
        self.settings = settings
        self.loading = loading
        self.metrics = Metrics(loading)

    @property
    def model(self) -> Served:
        """What is served now.

        A reload may put another in its place, and then closes its lane: hand it images before any `await`.

        Raises:
            NotReadyError: nothing yet.
        """
        return self.loading.served

    def require_room(self) -> None:
        """Refuse a request before its body is read, where it couldn't be answered.

        Raises:
            NotReadyError: nothing is served yet.
            QueueFullError: too many images wait.
        """
        self.model.lane.require_room()

    def require_few(self, images: int) -> None:
        """Refuse a request by the number of its images, before work is done for them.

        Raises:
            RequestError: there are none, or too many.
        """
        if not images:
            raise MalformedError("the request holds no image")
        if images > self.settings.max_images:
            raise TooManyImagesError(
                f"at most {self.settings.max_images} images a request, got {images}: send them in parts"
            )

    async def classify(self, images: Sequence[bytes]) -> Classified:
        """Classify encoded images.

        Raises:
            RequestError: there are none, too many, too large ones, bad ones, or there is no room; of several
                images the message names the bad one by its index from 0.
        """
        self.require_few(len(images))
        if len(images) > 1 or self.settings.max_request_pixels < self.settings.max_pixels:
            # In a thread: a hostile header takes a while. A single image is looked at when it is decoded.
            await asyncio.to_thread(require_few_pixels, images, self.settings.max_request_pixels)
        model = self.model

        def work(index: int) -> NDArray[np.float32]:
            try:
                with self.metrics.stage("decode"):
                    pixels = model.predictor.pixels(images[index])
            except ImageError as error:
                name = f"image {index}: " if len(images) > 1 else ""
                raise BadImageError(f"{name}{error}") from None
            return self._infer(model, pixels)

        return await self._answer(model, work, range(len(images)))

    async def classify_pixels(self, pixels: NDArray[np.uint8]) -> Classified:
        """Classify images that are the network's input already: uint8 RGB [images, size, size, 3].

        Raises:
            RequestError: the shape is another, there are none or too many, or there is no room.
        """
        model = self.model
        size = model.bundle.image.size
        if pixels.shape[1:] != (size, size, 3):
            raise MalformedError(f"expected pixels of shape [n, {size}, {size}, 3], got {list(pixels.shape)}")
        self.require_few(len(pixels))
        return await self._answer(model, partial(self._infer, model), list(pixels))

    def _infer(self, model: Served, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        with self.metrics.stage("inference"):
            return model.predictor.runtime(pixels)

    async def _answer(
        self, model: Served, work: Callable[[Any], NDArray[np.float32]], items: Sequence[Any]
    ) -> Classified:
        exchange = current()
        exchange.model, exchange.images = model.name, len(items)
        return Classified(model, np.stack(await model.lane.map(work, items)))
