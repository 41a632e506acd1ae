"""A way from containers to a server of this machine that only listens on loopback."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

_CHUNK: Final = 65_536


@contextmanager
def relayed(url: str, host: str) -> Iterator[str]:
    """Hand connections to an address of this machine on to `url`; the address to ask instead."""
    parts = urlsplit(url)
    with _Relay((host, 0), (str(parts.hostname), parts.port or 80)) as relay:
        thread = threading.Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.1})
        thread.start()
        try:
            yield f"http://{host}:{relay.server_address[1]}"
        finally:
            relay.shutdown()
            thread.join()


class _Relay(socketserver.ThreadingTCPServer):
    """Hands every connection on to a server that only listens on loopback."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, here: tuple[str, int], there: tuple[str, int]) -> None:
        self.there = there
        super().__init__(here, _Connection)


class _Connection(socketserver.BaseRequestHandler):
    server: _Relay

    def handle(self) -> None:
        with socket.create_connection(self.server.there) as onward:
            back = threading.Thread(target=_pump, args=(onward, self.request), daemon=True)
            back.start()
            _pump(self.request, onward)
            back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(_CHUNK):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        target.close()  # one side is gone, so the other has nobody to talk to
