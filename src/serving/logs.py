"""The server's log: a JSON line for each request, and the libraries' own warnings in the same form.

No line holds a query, a header, a key or an image.
"""

import logging
import time
import traceback
from collections.abc import Callable, Container
from typing import Any, Final

from contracts.console import log
from serving.exchange import Exchange

SELDOM_S: Final = 10
"""How often the same warning is worth a line: where descriptors run out, asyncio tells it without end."""

_REQUESTS: Final = logging.getLogger("serving.requests")


class _Events(logging.Handler):
    """Warnings and errors, with their tracebacks; a warning again only after `SELDOM_S`."""

    def __init__(self) -> None:
        super().__init__()
        self._last, self._told = "", 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Report one record."""
        text, now = record.getMessage(), time.monotonic()
        if text == self._last and now - self._told < SELDOM_S:
            return
        self._last, self._told = text, now
        trace = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else None
        log(record.getMessage().strip(), level=record.levelname, **({"traceback": trace} if trace else {}))


class _Requests(logging.Handler):
    """Requests, as `make_request_log` tells them."""

    def emit(self, record: logging.LogRecord) -> None:
        """Report one record."""
        log(record.getMessage(), **record.__dict__["fields"])


def configure_logs() -> None:
    """Send the requests, and all libraries' warnings and errors, through `contracts.console`."""
    for logger, handler, level in (
        (logging.getLogger(), _Events(), logging.WARNING),
        (_REQUESTS, _Requests(), logging.INFO),
    ):
        logger.handlers = [handler]
        logger.setLevel(level)
    _REQUESTS.propagate = False
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # it warns of what clients send


def make_request_log(quiet: Container[str]) -> Callable[[Exchange], None]:
    """Make what logs a request; those to the paths in `quiet` that went well aren't worth a line."""

    def tell(exchange: Exchange) -> None:
        if _REQUESTS.isEnabledFor(logging.INFO) and not (exchange.path in quiet and exchange.status == 200):
            _REQUESTS.info("request", extra={"fields": _describe(exchange)})

    return tell


def _describe(exchange: Exchange) -> dict[str, Any]:
    always = {
        "id": exchange.id,
        "client": exchange.client,
        "method": exchange.method,
        "path": exchange.path,
        "status": exchange.status,
        "ms": round(exchange.seconds * 1000, 1),
        "bytes": exchange.received,
    }
    sometimes = {"images": exchange.images, "model": exchange.model, "error": exchange.error[:300]}
    return always | {name: value for name, value in sometimes.items() if value}
