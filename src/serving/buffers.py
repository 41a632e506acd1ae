"""The bytes of all requests' bodies together: each may be large, and all at once fill the memory."""

from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import BuffersFullError

HOLD: Final = "chrysalis.hold"
"""The scope's key of what counts further bytes of a request."""


class Budget:
    """Bytes that are held, of those that may be."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.held = 0

    def take(self, size: int) -> None:
        """Hold `size` bytes more.

        Raises:
            BuffersFullError: that would be more than the limit; nothing was taken.
        """
        if self.held + size > self._limit:
            raise BuffersFullError("too many bytes of other requests are on their way: try again shortly")
        self.held += size

    def give_back(self, size: int) -> None:
        """Let go of `size` bytes."""
        self.held -= size


class BoundedBuffers:
    """ASGI middleware: what a door has read counts until its request ends, however it does.

    That is the request's body, and what `held_by` was told of: objects that the request names.
    """

    def __init__(self, app: ASGIApp, budget: Budget) -> None:
        self.app = app
        self._budget = budget

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        held = 0

        def hold(size: int) -> None:
            nonlocal held
            self._budget.take(size)
            held += size

        async def receive_held() -> Message:
            message = await receive()
            hold(len(message.get("body", b"")))
            return message

        scope[HOLD] = hold
        try:
            await self.app(scope, receive_held, send)
        finally:
            self._budget.give_back(held)


def held_by(request: Request) -> Callable[[int], None]:
    """What counts further bytes as this request's; it raises BuffersFullError where they are too many."""
    hold: Callable[[int], None] = request.scope[HOLD]
    return hold
