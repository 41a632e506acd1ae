"""SIGTERM and SIGINT while training: kept until the state can be saved, then raised as ever."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

from contracts.console import Terminated, log


class Interruption:
    """Whether somebody wants this process to stop."""

    def __init__(self) -> None:
        self._signal: int | None = None
        self._before: dict[int, Any] = {}

    @property
    def asked(self) -> bool:
        """Whether a signal came."""
        return self._signal is not None

    def stop(self) -> NoReturn:
        """Raise what the signal would have raised at once; `Terminated` where another host got it.

        Raises:
            KeyboardInterrupt: it was SIGINT.
            Terminated: it was SIGTERM.
        """
        if self._signal == signal.SIGINT:
            raise KeyboardInterrupt
        raise Terminated

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """Keep the first signal that comes while the block lasts; a second is what it always was.

        Raises:
            KeyboardInterrupt, Terminated: one came so late that the block ended without having asked.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._keep)
        try:
            yield
        finally:
            self._put_back()
        if self.asked:
            self.stop()

    def _keep(self, number: int, _frame: FrameType | None) -> None:
        self._signal = number
        self._put_back()
        # What was interrupted may be a write to standard error: then another can't begin.
        with suppress(RuntimeError):
            log("stopping: the state is saved after this step; once more stops at once without")

    def _put_back(self) -> None:
        while self._before:
            signal.signal(*self._before.popitem())
