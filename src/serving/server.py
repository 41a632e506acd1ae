"""uvicorn's server, which ends in time whatever is under way, and takes connections in small portions."""

import os
import socket
import threading
from typing import Final

import uvicorn

ENDING_S: Final = 1.5
"""How long the end may take beyond the time that requests under way have."""

BACKLOG: Final = 2048
"""Connections that the system holds until they are taken; it may lower it."""


class Server(uvicorn.Server):
    """A server whose process is gone in the graceful time and `ENDING_S` after its shutdown begins."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        for listener in sockets or []:
            listener.listen(BACKLOG)  # asyncio took the number that it accepts at once

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let the requests under way end, and drop them in the end."""
        # A thread that decodes can't be stopped, and Python would wait for it as it exits.
        seconds = (self.config.timeout_graceful_shutdown or 0) + ENDING_S
        watchdog = threading.Timer(seconds, os._exit, [0])
        watchdog.daemon = True
        watchdog.start()
        await super().shutdown(sockets)
