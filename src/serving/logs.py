"""uvicorn's log in the project's own form: a JSON line each, on standard error."""

import logging
import traceback
from collections.abc import Container

from contracts.console import log


class _Events(logging.Handler):
    """Warnings and errors, with their tracebacks."""

    def emit(self, record: logging.LogRecord) -> None:
        """Report one record."""
        trace = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else None
        log(record.getMessage().strip(), level=record.levelname, **({"traceback": trace} if trace else {}))


class _Requests(logging.Handler):
    """Requests; health checks that went well aren't worth a line."""

    def __init__(self, quiet: Container[str]) -> None:
        super().__init__()
        self._quiet = quiet

    def emit(self, record: logging.LogRecord) -> None:
        """Report one request: uvicorn gives client, method, path, HTTP version and status."""
        client, method, path, _, status = record.args  # type: ignore[misc]
        if not (path in self._quiet and status == 200):
            log("request", client=client, method=method, path=path, status=status)


def configure_logs(quiet: Container[str]) -> None:
    """Send uvicorn's log through `contracts.console`, the requests of the paths in `quiet` left out."""
    for name, handler, level in (
        ("uvicorn.error", _Events(), logging.WARNING),
        ("uvicorn.access", _Requests(quiet), logging.INFO),
    ):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False
