"""The model on its way: it loads in the background, so that the server lives before it is ready."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC

from contracts.bundle import ModelBundle
from contracts.console import log
from serving.errors import NotReadyError
from serving.predictor import Predictor, load_predictor
from serving.queueing import Lane
from serving.settings import Settings


@dataclass(frozen=True)
class Served:
    """A model in service, and the way to it."""

    predictor: Predictor
    lane: Lane

    @property
    def bundle(self) -> ModelBundle:
        """What it was loaded from."""
        return self.predictor.bundle

    @property
    def name(self) -> str:
        """By which clients ask for it."""
        return self.bundle.name

    @property
    def version(self) -> int:
        """When it was made, as YYYYMMDDHHMMSS in UTC: TensorFlow Serving's versions are whole numbers."""
        return int(f"{self.bundle.created_at.astimezone(UTC):%Y%m%d%H%M%S}")


class Loading:
    """Holds the model once there is one."""

    def __init__(self, settings: Settings, on_failure: Callable[[], None] = lambda: None) -> None:
        self.error: Exception | None = None
        """Why the model can't be served; `on_failure` was called then."""
        self._settings = settings
        self._on_failure = on_failure
        self._served: Served | None = None

    def start(self) -> None:
        """Begin, from within the event loop."""
        # A daemon, so that a server that is told to stop needn't wait for a download.
        threading.Thread(
            target=self._load, args=[asyncio.get_running_loop()], name="load", daemon=True
        ).start()

    def stop(self) -> None:
        """Close the model's lane, if there is one."""
        if self._served:
            self._served.lane.close()

    @property
    def served(self) -> Served:
        """The model.

        Raises:
            NotReadyError: it isn't loaded, or its golden images aren't replayed yet.
        """
        if self._served is None:
            raise NotReadyError("the model is still loading: ask /readyz, and try again when it answers 200")
        return self._served

    def _load(self, loop: asyncio.AbstractEventLoop) -> None:
        started = time.monotonic()
        try:
            predictor = load_predictor(
                self._settings.model,
                self._settings.runtime,
                self._settings.max_pixels,
                require_blessed=self._settings.require_blessed,
            )
        except Exception as error:  # noqa: BLE001 - whoever runs the server raises it again
            self.error = error
            self._on_failure()
            return
        log(
            "ready",
            model=predictor.bundle.name,
            runtime=str(predictor.runtime.name),
            golden=len(predictor.bundle.golden),
            seconds=round(time.monotonic() - started, 2),
        )
        loop.call_soon_threadsafe(self._open, predictor)

    def _open(self, predictor: Predictor) -> None:
        self._served = Served(predictor, Lane(predictor.runtime.concurrency, self._settings.max_waiting))
