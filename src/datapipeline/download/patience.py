"""How often, and with which pauses, a server is asked again."""

from dataclasses import dataclass, field

import urllib3

from contracts.console import log
from contracts.errors import StageError


class _Retry(urllib3.Retry):
    """One that says so when it asks again: a pause can be a minute."""

    def sleep(self, response: urllib3.BaseHTTPResponse | None = None) -> None:
        last = self.history[-1]
        log("asking again", file=last.url, status=last.status, error=last.error and str(last.error))
        super().sleep(response)


@dataclass(frozen=True)
class Patience:
    """Pauses grow from nothing over `backoff_factor` to `backoff_max` seconds, each with some jitter."""

    ask: urllib3.Retry = field(
        default_factory=lambda: _Retry(
            total=None,
            connect=2,  # one who isn't there is told of in two seconds
            read=2,
            status=5,
            other=0,
            status_forcelist=[429, 500, 502, 503, 504],
            allowed_methods=["GET"],
            raise_on_status=False,
            backoff_factor=0.5,
            backoff_jitter=0.5,
            retry_after_max=60,
        )
    )
    """For one question, until the answer begins."""
    body: urllib3.Retry = field(
        default_factory=lambda: urllib3.Retry(total=5, backoff_factor=0.5, backoff_jitter=0.5, backoff_max=30)
    )
    """For bodies that break off one after the other with nothing new."""
    breaks: int = 1000
    """Most breaks of one body, however much each of its pieces brought."""
    timeout: tuple[float, float] = (10, 60)
    """Seconds to connect, and without a byte."""


PATIENCE = Patience()


class Effort:
    """Keeps count for one body: what brings it further than ever before renews the patience."""

    def __init__(self, uri: str, size: int, patience: Patience) -> None:
        self._uri, self._furthest, self._patience = uri, size, patience
        self._retry, self._breaks = patience.body, 0

    def broke(self, size: int, why: Exception) -> None:
        """Wait before the next try; `size` is what has arrived.

        Raises:
            StageError: it was tried often enough.
        """
        if size > self._furthest:
            self._furthest, self._retry = size, self._patience.body
        self._breaks += 1
        if self._breaks >= self._patience.breaks:
            raise self._given_up(why) from why
        try:
            self._retry = self._retry.increment("GET", self._uri, error=why)
        except urllib3.exceptions.MaxRetryError:
            raise self._given_up(why) from why
        log("the transfer broke off", address=self._uri, bytes=size, times=self._breaks, error=str(why))
        self._retry.sleep()

    def _given_up(self, why: Exception) -> StageError:
        return StageError(
            f"{self._uri} broke off {self._breaks} times, after {self._furthest} bytes at most ({why}): run "
            "the same command again, at another time if need be"
        )
