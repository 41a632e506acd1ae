"""The model on its way: it loads in the background, so that the server lives before it is ready.

So does the one that takes its place later: requests are answered meanwhile.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Final, NamedTuple

from contracts.bundle import GOLDEN, ModelBundle
from contracts.console import describe, log
from serving.daemons import begin, in_daemon
from serving.errors import NotReadyError, ReloadError
from serving.memory import release_heap
from serving.predictor import Predictor, load_predictor
from serving.queueing import Lane
from serving.settings import Settings
from serving.source import Found, check_bundle

STOP_S: Final = 1
"""How long the images under way may take as the server ends, after the time that requests had."""


@dataclass(frozen=True)
class Served:
    """A model in service, and the way to it."""

    predictor: Predictor
    lane: Lane
    name: str
    """By which clients ask for it."""

    @property
    def bundle(self) -> ModelBundle:
        """What it was loaded from."""
        return self.predictor.bundle

    @property
    def version(self) -> int:
        """When it was made, as YYYYMMDDHHMMSS in UTC: TensorFlow Serving's versions are whole numbers."""
        return int(f"{self.bundle.created_at.astimezone(UTC):%Y%m%d%H%M%S}")

    def retire(self) -> None:
        """Answer what was asked so far, and then free the memory; nobody may ask it anything more."""

        def close() -> None:
            self.lane.close()
            self.predictor.runtime.close()
            release_heap()

        threading.Thread(target=close, name="retire", daemon=True).start()

    async def stop(self) -> None:
        """Drop what waits, and give what is under way a moment to end."""
        # In a thread: cancelled requests are answered meanwhile.
        if await in_daemon(lambda: self.lane.drop(STOP_S)):
            self.predictor.runtime.close()


class Reloaded(NamedTuple):
    """What a reload led to."""

    served: Served
    changed: bool
    """False: the model in service is the one that was asked for."""


class Loading:
    """Holds the model once there is one. Used from one event loop."""

    def __init__(self, settings: Settings, on_failure: Callable[[], None] = lambda: None) -> None:
        self.error: Exception | None = None
        """Why there is no model to serve; `on_failure` was called then."""
        self.outcomes: Counter[str] = Counter()
        """How often the first load and the reloads `failed`, `changed` the model or left it `unchanged`."""
        self._settings = settings
        self._on_failure = on_failure
        self._served: Served | None = None
        self._one_at_a_time = asyncio.Lock()
        self._tasks: set[asyncio.Task[Reloaded]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._preloaded: Future[Predictor] | None = None

    @property
    def served(self) -> Served:
        """The model.

        Raises:
            NotReadyError: it isn't loaded, or its golden images aren't replayed yet.
        """
        if self._served is None:
            raise NotReadyError("the model is still loading: ask /readyz, and try again when it answers 200")
        return self._served

    def preload(self) -> None:
        """Begin before there is an event loop, while this thread has other things to do."""
        self._preloaded = begin(self._load_predictor)

    def start(self) -> None:
        """Begin, from within the event loop, or go on with what `preload` began."""
        self._loop = asyncio.get_running_loop()
        self._begin().add_done_callback(self._tell_of_failure)

    async def reload(self) -> Reloaded:
        """Put the model in service that `--model` leads to now, unless it is; the old one answers meanwhile.

        What was begun goes on when the caller leaves. Several go on one after the other.

        Raises:
            ReloadError: it can't be loaded; the old one stays.
        """
        return await asyncio.shield(self._begin())

    def reload_soon(self) -> None:
        """Reload, and leave the outcome to the log; for a signal's handler."""
        if self._loop:
            self._loop.call_soon_threadsafe(self._begin)

    async def stop(self) -> None:
        """Give up what loads, and close the model's lane, if there is one."""
        for task in self._tasks:
            task.cancel()
        self._loop = None
        if self._served:
            await self._served.stop()

    def _begin(self) -> "asyncio.Task[Reloaded]":
        task = asyncio.create_task(self._replace())
        self._tasks.add(task)  # the loop itself wouldn't hold it
        task.add_done_callback(self._end)
        return task

    def _end(self, task: "asyncio.Task[Reloaded]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():  # an error was told in the log, where nobody waits for it
            outcome = "failed" if task.exception() else "changed" if task.result().changed else "unchanged"
            self.outcomes[outcome] += 1

    async def _replace(self) -> Reloaded:
        async with self._one_at_a_time:
            started = time.monotonic()
            old = self._served
            try:
                found = await in_daemon(self._find) if old else None
                if old and found and found.bundle.digest == old.bundle.digest:
                    return self._stay(old, found)
                loading = self._preloaded or begin(self._load_predictor)
                self._preloaded = None
                predictor = await asyncio.wrap_future(loading)
            except Exception as error:
                if old is None:
                    raise
                log("reload failed", reason=describe(error), error=type(error).__name__, still=old.name)
                raise ReloadError(
                    f"{describe(error)}; {old.name} ({old.version}) stays in service"
                ) from error
            new = self._serve(predictor)
            version = new.version  # before it is in service: nothing may fail after
            self._served = new
            if old:
                old.retire()
        log(
            "ready",
            model=new.name,
            version=version,
            runtime=str(predictor.runtime.name),
            golden=len(new.bundle.golden),
            seconds=round(time.monotonic() - started, 2),
        )
        return Reloaded(new, changed=True)

    def _find(self) -> Found:
        settings = self._settings
        files = [settings.runtime.model, GOLDEN]
        return check_bundle(settings.model, files, require_blessed=settings.require_blessed)

    def _stay(self, old: Served, found: Found) -> Reloaded:
        """Keep the network, and tell of its classes what is told now."""
        changed = found.class_info != old.predictor.class_info
        if changed:
            old = self._served = replace(old, predictor=old.predictor.telling(found.class_info))
        outcome = "other texts of the classes" if changed else "unchanged"
        log("reload", status=outcome, model=old.name, version=old.version)
        return Reloaded(old, changed=changed)

    def _load_predictor(self) -> Predictor:
        settings = self._settings
        predictor = load_predictor(
            settings.model,
            settings.runtime,
            settings.max_pixels,
            require_blessed=settings.require_blessed,
            execution=settings.execution,
        )
        release_heap()  # what the imports and the golden images left
        return predictor

    def _serve(self, predictor: Predictor) -> Served:
        lane = Lane(predictor.runtime.concurrency, self._settings.max_waiting)
        return Served(predictor, lane, self._settings.model_name or predictor.bundle.name)

    def _tell_of_failure(self, task: "asyncio.Task[Reloaded]") -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self.error = error
            self._on_failure()
