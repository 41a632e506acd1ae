"""HTTP/1.1 of uvicorn, with limits on what comes before there is a request, and after its answer.

uvicorn itself waits for headers for ever, however many they are, and takes on any number of connections. What
is limited here has no request yet, so no ASGI application could. Each refusal closes its connection.
"""

import asyncio
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, ClassVar, Final, NamedTuple

import httptools
import uvicorn
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from serving.exchange import DISCONNECTED
from serving.settings import Settings

LINGER_S: Final = 2
"""How long a refused client may still send: closed at once, it would see a reset instead of the answer."""

TAKE_S: Final = 30
"""How long a client may take no byte of its answer."""

ACCEPTED: Final = 100
"""Connections that are taken at once, before those that came earlier are heard again."""

MOST_PIPELINED: Final = 32
"""Requests of a connection that wait for the first one's answer; browsers send none."""


def make_config(app: Starlette, settings: Settings, **options: Any) -> uvicorn.Config:
    """Configure a server of the application `create_app` made, with all limits.

    Args:
        app: the application.
        settings: with the limits.
        options: further ones of `uvicorn.Config`.
    """
    guard = Guard(settings, app.state.metrics.count_refusal)
    return uvicorn.Config(
        app,
        http=type("Protocol", (GuardedProtocol,), {"guard": guard}),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=ACCEPTED,
        timeout_keep_alive=settings.keep_alive_s,
        **options,
    )


class Guard(NamedTuple):
    """What all connections of a server share."""

    settings: Settings
    tell: Callable[[str], None]
    """Hears why, of each connection that was refused."""


class _RefusedError(Exception):
    """Ends the parser's work on what came; its message is the client's."""

    def __init__(self, status: HTTPStatus, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


class GuardedProtocol(HttpToolsProtocol):
    """One connection.

    At any time either a request is under way, whose time the application limits, or a timer runs: for
    headers, for the rest of a body that nobody wants, for a connection that idles.
    """

    guard: ClassVar[Guard]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._application, self.app = self.app, self._run
        self._cycle: RequestResponseCycle | None = None  # whose answer is under way
        self._task: asyncio.Task[Any] | None = None  # that makes it
        self._timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._in_head = self._body_came = False
        self._head_bytes = 0  # but for those that came together with the request's first
        self._most_bytes = self.guard.settings.max_header_bytes
        self._refused = False

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, if there is room for one more."""
        super().connection_made(transport)
        self._arm(self.guard.settings.header_timeout_s, self._head_is_late)
        if len(self.connections) > self.guard.settings.max_connections and not self._close_an_idle_one():
            text = f"at most {self.guard.settings.max_connections} connections: try again shortly"
            self._refuse(_RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "connections", text))

    def connection_lost(self, exc: Exception | None) -> None:
        """End, and drop the work for an answer that nobody waits for."""
        self._abandon()
        self._disarm()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what the client sends."""
        if self._refused:
            return
        self._unset_keepalive_if_required()
        self._head_bytes += len(data)
        try:
            self.parser.feed_data(data)
            if self._in_head and max(self._head_bytes, self._parsed_bytes()) > self._most_bytes:
                self._refuse(self._too_many_headers())
        except httptools.HttpParserUpgrade:
            pass  # to nothing that we speak; the request is answered as it is
        except httptools.HttpParserError as error:
            cause = error.__context__
            malformed = _RefusedError(HTTPStatus.BAD_REQUEST, "malformed", f"no valid HTTP/1.1: {error}")
            self._refuse(cause if isinstance(cause, _RefusedError) else malformed)
        if not self._timer and not self._busy:
            self._arm(self.guard.settings.header_timeout_s, self._head_is_late)

    # What the parser finds

    def on_message_begin(self) -> None:
        """A request's first byte."""
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A request's headers are there: the application takes over."""
        self._in_head, self._body_came = False, False
        if self._parsed_bytes() > self._most_bytes:
            raise self._too_many_headers()
        if len(self.pipeline) >= MOST_PIPELINED:
            text = f"at most {MOST_PIPELINED} requests before their answers"
            raise _RefusedError(HTTPStatus.TOO_MANY_REQUESTS, "pipelined", text)
        self._disarm()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A request's body is there."""
        self._body_came = True
        if not self._busy:
            self._disarm()  # it was one that nobody wanted
        super().on_message_complete()
        if not self.pipeline:
            self.flow.resume_reading()  # else we wouldn't hear that the client leaves before its answer

    # The answer

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._cycle = cycle
        super()._start_asgi_task(cycle, app)

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._task = asyncio.current_task()
        await self._application(scope, receive, send)

    def on_response_complete(self) -> None:
        """The application has answered; the client may still have to take the answer, or to send its body."""
        self._task = None
        super().on_response_complete()
        if self.transport.is_closing():
            self._arm(TAKE_S, self.transport.abort)
        elif not self._busy and not self._body_came:
            self._arm(self.guard.settings.body_timeout_s, self.transport.abort)

    def pause_writing(self) -> None:
        """The client doesn't take its answer as quickly as it is made."""
        super().pause_writing()
        self._write_timer = self.loop.call_later(TAKE_S, self.transport.abort)

    def resume_writing(self) -> None:
        """It has taken what was made."""
        super().resume_writing()
        if self._write_timer:
            self._write_timer.cancel()

    def timeout_keep_alive_handler(self) -> None:
        """A connection has idled."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()  # it didn't take its last answer, and never may
        else:
            super().timeout_keep_alive_handler()

    # Limits

    @property
    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _parsed_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _arm(self, seconds: float, act: Callable[[], None]) -> None:
        self._disarm()
        self._timer = self.loop.call_later(seconds, act)

    def _disarm(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _close_an_idle_one(self) -> bool:
        for connection in self.connections:
            if connection.timeout_keep_alive_task:  # type: ignore[union-attr]
                connection.transport.close()
                return True
        return False

    def _head_is_late(self) -> None:
        if self._in_head:
            text = f"a request's headers must come in {self.guard.settings.header_timeout_s:g} s"
            self._refuse(_RefusedError(HTTPStatus.REQUEST_TIMEOUT, "slow headers", text))
        else:
            self.transport.close()  # it never sent anything, as browsers do that connect ahead

    def _too_many_headers(self) -> _RefusedError:
        text = f"at most {self._most_bytes} bytes of headers"
        return _RefusedError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "headers", text)

    def _refuse(self, error: _RefusedError) -> None:
        self._refused = True
        self.guard.tell(error.reason)
        self._unset_keepalive_if_required()
        begun = self._cycle is not None and self._cycle.response_started and not self._cycle.response_complete
        self._abandon()
        if self.transport.is_closing():
            return
        if len(self.connections) > 2 * self.guard.settings.max_connections:
            self.transport.abort()  # not even to the answer's end: those would be too many
            return
        if not begun:
            self.transport.write(_answer(error))
        self.transport.write_eof()
        self._arm(LINGER_S, self.transport.abort)

    def _abandon(self) -> None:
        """Nobody waits for the answers any more."""
        for cycle in (self._cycle, *(cycle for cycle, _ in self.pipeline)):
            if cycle and not cycle.response_complete:
                cycle.disconnected = True
                cycle.scope[DISCONNECTED] = True  # type: ignore[typeddict-unknown-key]
        if self._task:
            self._task.cancel()


def _answer(error: _RefusedError) -> bytes:
    body = json.dumps({"error": str(error)}).encode()
    retry = "retry-after: 1\r\n" if error.status is HTTPStatus.SERVICE_UNAVAILABLE else ""
    head = (
        f"HTTP/1.1 {error.status.value} {error.status.phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n{retry}connection: close\r\n\r\n"
    )
    return head.encode() + body
