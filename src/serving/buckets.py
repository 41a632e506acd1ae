"""Images that lie in Cloud Storage: `gs://bucket/name` to bytes, of the buckets on the allow-list alone.

Nothing else that a request names is ever fetched. Reading has threads of its own, so that a slow bucket
holds up neither the event loop nor the lane to the network.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from contracts import storage
from contracts.console import log
from contracts.errors import InputError, StageError
from serving.daemons import in_daemon
from serving.errors import (
    BucketUnreachableError,
    ForbiddenError,
    NotFoundHereError,
    ObjectTooLargeError,
    RequestError,
)
from serving.places import Place
from serving.settings import Settings, option, variable

THREADS: Final = 4
"""Objects that are read at once: more photos a second than are classified, and few in memory."""


class Buckets:
    """The buckets that requests may name images in. Used from one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._slots = asyncio.Semaphore(THREADS)

    async def read(self, images: Sequence[bytes | Place], hold: Callable[[int], None]) -> list[bytes]:
        """Fetch what is named, and leave the rest as it is; in the same order.

        Args:
            images: encoded, or where they lie.
            hold: is told of the bytes of each that was fetched: see `buffers.held_by`.

        Raises:
            RequestError: a bucket isn't allowed or doesn't answer in time, there is no such object, or it
                is too large; the message says which.
        """
        places = [image for image in images if isinstance(image, Place)]
        for place in places:
            self._check_allowed(place)
        limit = self._settings.bucket_timeout_s
        try:
            async with asyncio.timeout(limit):
                fetched = iter(await self._fetch_all(places, hold))
        except TimeoutError:
            raise BucketUnreachableError(f"Cloud Storage gave no answer in {limit:g} s: try again") from None
        return [next(fetched) if isinstance(image, Place) else image for image in images]

    def _check_allowed(self, place: Place) -> None:
        if place.bucket not in self._settings.allow_buckets:
            raise ForbiddenError(
                f"{place.called}: the bucket {place.bucket} isn't allowed here: whoever runs the server "
                f"can name it by {option('allow_buckets')} or in {variable('allow_buckets')}"
            )

    async def _fetch_all(self, places: Sequence[Place], hold: Callable[[int], None]) -> list[bytes]:
        """Fetch in parallel; the first failure ends the rest."""
        left = self._settings.max_body_bytes

        async def fetch(place: Place) -> bytes:
            nonlocal left
            data = await self._fetch(place)
            hold(len(data))
            left -= len(data)
            if left < 0:
                raise ObjectTooLargeError(
                    f"{place.called}: at most {self._settings.max_body_bytes} bytes a request: "
                    "name fewer or smaller images"
                )
            return data

        tasks = [asyncio.create_task(fetch(place)) for place in places]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _fetch(self, place: Place) -> bytes:
        await self._slots.acquire()
        loop = asyncio.get_running_loop()

        def work() -> bytes:
            try:
                return self._read(place)
            finally:  # only now, though the request may be given up before: threads stay few
                with suppress(RuntimeError):  # the loop is closed: the server ended meanwhile
                    loop.call_soon_threadsafe(self._slots.release)

        return await in_daemon(work)

    def _read(self, place: Place) -> bytes:
        limits = self._settings
        try:
            return storage.read_bounded(
                place.uri, max_bytes=limits.max_body_bytes, timeout_s=limits.bucket_timeout_s
            )
        except (InputError, StageError) as error:
            raise _as_request_error(place, error) from error


def _as_request_error(place: Place, error: InputError | StageError) -> RequestError:
    """What a failure means to whoever sent the request; what storage says of it is for our log."""
    if isinstance(error, storage.NotFoundError):
        return NotFoundHereError(f"{place.called}: there is no {place.uri}")
    if isinstance(error, storage.TooLargeError):
        return ObjectTooLargeError(f"{place.called}: {error}")
    if isinstance(error, storage.ForbiddenError):
        return ForbiddenError(f"{place.called}: the server's account may not read {place.uri}")
    log("a bucket can't be read", uri=place.uri, error=str(error))
    return BucketUnreachableError(f"{place.called}: {place.uri} can't be read now: try again")
