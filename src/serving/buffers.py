"""The bytes of all requests' bodies together: each may be large, and all at once fill the memory."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import BuffersFullError


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
    """ASGI middleware: what a door has read of its body counts until its request ends, however it does."""

    def __init__(self, app: ASGIApp, budget: Budget) -> None:
        self.app = app
        self._budget = budget

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        held = 0

        async def receive_held() -> Message:
            nonlocal held
            message = await receive()
            size = len(message.get("body", b""))
            self._budget.take(size)
            held += size
            return message

        try:
            await self.app(scope, receive_held, send)
        finally:
            self._budget.give_back(held)
