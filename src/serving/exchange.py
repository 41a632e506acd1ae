"""A request and its answer, as the log and the metrics tell of them; it has an id that both sides can name.

A client may give the id as `X-Request-ID`, else we make one; the answer's header brings it back.
"""

import re
import secrets
import time
import traceback
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.console import log

DISCONNECTED: Final = "chrysalis.disconnected"
"""Stands in the scope of a request whose client is gone: nobody waits for the answer."""

CLIENT_GONE: Final = 499
"""The status that is told where the client left before there was one; nginx calls it so too."""

UNKNOWN_DOOR: Final = "other"
"""Paths that aren't there: a label for each would be as many as callers think of."""

_SANE_ID: Final = re.compile(r"[\w.:/+=-]{1,128}", re.ASCII)
_LONGEST_PATH: Final = 200
_LONGEST_TRACE: Final = 8000


@dataclass
class Exchange:
    """One request and its answer."""

    id: str = ""
    method: str = ""
    path: str = ""
    """As it was sent, without the query."""
    client: str = ""
    door: str = UNKNOWN_DOOR
    """The pattern of the path; `page` for its files."""
    status: int = 0
    received: int = 0
    """Bytes of the body that the door read."""
    sent: int = 0
    """Bytes of the answer's body."""
    images: int = 0
    model: str = ""
    """Who answered."""
    error: str = ""
    """What was wrong with the request."""
    reason: str = ""
    """The same in few words, of which there are few."""
    began: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """Since its headers came."""
        return time.perf_counter() - self.began


_CURRENT: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


def current() -> Exchange:
    """The exchange that the caller works for; outside of a server one that nobody reads."""
    return _CURRENT.get() or Exchange()


class Exchanges:
    """ASGI middleware: follows each request to its end, and answers 500 where a door fails at it."""

    def __init__(self, app: ASGIApp, tell: Sequence[Callable[[Exchange], None]]) -> None:
        self.app = app
        self._tell = tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = _begin(scope)

        async def receive_counted() -> Message:
            message = await receive()
            exchange.received += len(message.get("body", b""))
            return message

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = exchange.id
            exchange.sent += len(message.get("body", b""))
            await send(message)

        token = _CURRENT.set(exchange)
        try:
            await self.app(scope, receive_counted, send_counted)
        except Exception as error:
            _log_failure(exchange, error)
            if exchange.status:  # the answer has begun: all that is left is to break it off
                raise
            text = f"the server failed at this request; its log says why under the id {exchange.id}"
            await JSONResponse({"error": text}, 500)(scope, receive, send_counted)
        finally:
            _CURRENT.reset(token)
            _end(exchange, scope)
            for tell in self._tell:
                tell(exchange)


def _begin(scope: Scope) -> Exchange:
    asked = Headers(scope=scope).get("x-request-id", "")
    client = scope.get("client") or ("",)
    return Exchange(
        id=asked if _SANE_ID.fullmatch(asked) else secrets.token_hex(8),
        method=scope["method"],
        path=(scope.get("raw_path") or scope["path"].encode()).decode("latin-1")[:_LONGEST_PATH],
        client=str(client[0]),
    )


def _end(exchange: Exchange, scope: Scope) -> None:
    exchange.door = getattr(scope.get("route"), "path", exchange.door)
    if scope.get(DISCONNECTED):
        exchange.status = CLIENT_GONE


def _log_failure(exchange: Exchange, error: Exception) -> None:
    trace = "".join(traceback.format_exception(error))[-_LONGEST_TRACE:]
    log("a request failed", level="ERROR", id=exchange.id, path=exchange.path, traceback=trace)
