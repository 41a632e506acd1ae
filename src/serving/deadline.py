"""A request's time: over it the client is asked to come again, and what was still to be done is dropped."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import LateError, RequestError, StoppingError, error_response
from serving.exchange import DISCONNECTED


class Deadline:
    """ASGI middleware: an answer in `seconds`, or 503; 503 too where the server ends before."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def send_watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        error: RequestError | None = None
        try:
            async with asyncio.timeout(self._seconds) as limit:
                await self.app(scope, receive, send_watched)
        except TimeoutError:
            if not limit.expired():
                raise
            error = LateError(f"no answer in {self._seconds:g} s: the server is busy, try again shortly")
        except asyncio.CancelledError:  # by uvicorn, when the grace period is over, or when the client left
            error = StoppingError("the server is stopping: send the request again")
        if error and not begun and DISCONNECTED not in scope:  # an answer that has begun is broken off
            await error_response(error)(scope, receive, send)
