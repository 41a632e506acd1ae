"""A file server that can be told to misbehave, and archives to serve."""

import io
import re
import socket
import struct
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from datapipeline.download import patience

DATE = "Sat, 01 Jan 2000 00:00:00 GMT"


@dataclass
class FileServer:
    """One file under every path, with ranges as RFC 9110 has them; each field is a way to misbehave."""

    data: bytes
    address: str = ""
    etag: str | None = '"one"'
    last_modified: str | None = None
    ranges: bool = True
    cut: int | None = None
    """Bytes of a body after which the connection ends."""
    reset: bool = False
    """Whether it ends with a reset."""
    slowly: float = 0
    """Seconds between pieces of 20,000 bytes."""
    stated: int | None = None
    """Content-Length, where it is a lie."""
    canned: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    """Given first, one for each request."""
    then: Callable[["FileServer"], None] = lambda self: None
    """Called after each answer."""
    asked: list[tuple[str | None, str | None]] = field(default_factory=list)
    """Range and If-Range of each request."""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append((request.headers["Range"], request.headers["If-Range"]))
        if self.canned:
            self._send(request, *self.canned.pop(0))
        else:
            self._send(request, *self._honest(*self.asked[-1]))
        self.then(self)

    def _honest(self, wanted: str | None, if_range: str | None) -> tuple[int, dict[str, str], bytes]:
        headers = {"ETag": self.etag, "Last-Modified": self.last_modified}
        headers = {key: value for key, value in headers.items() if value}
        if not self.ranges or not wanted or if_range not in (None, self.etag, self.last_modified):
            return 200, headers, self.data
        start, size = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]), len(self.data)
        if start >= size:
            return 416, headers | {"Content-Range": f"bytes */{size}"}, b""
        return 206, headers | {"Content-Range": f"bytes {start}-{size - 1}/{size}"}, self.data[start:]

    def _send(
        self, request: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes
    ) -> None:
        request.send_response(status)
        length = len(body) if self.stated is None else self.stated
        for key, value in {"Content-Length": str(length), **headers}.items():
            request.send_header(key, value)
        request.end_headers()
        body = body[: self.cut]
        for start in range(0, len(body), 20_000):
            request.wfile.write(body[start : start + 20_000])
            time.sleep(self.slowly)
        request.close_connection = True
        if self.reset:
            at_once = struct.pack("ii", 1, 0)
            request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            request.connection.close()


@pytest.fixture
def file_server() -> Iterator[Callable[..., FileServer]]:
    """Start a `FileServer`: `file_server(data, etag=None, …)`."""
    servers = []

    def serve(data: bytes, **how: object) -> FileServer:
        file = FileServer(data, **how)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                try:
                    file.answer(self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True  # whoever asked was killed, or has hung up

            def log_message(self, *_: object) -> None:
                """Keep the test's output clean."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        file.address = f"http://127.0.0.1:{server.server_address[1]}"
        return file

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this process ask again without a pause."""
    known = patience.PATIENCE
    quick = {"backoff_factor": 0, "backoff_jitter": 0}
    monkeypatch.setattr(
        patience, "PATIENCE", replace(known, ask=known.ask.new(**quick), body=known.body.new(**quick))
    )


@pytest.fixture(scope="session")
def zipped() -> Callable[..., bytes]:
    """A zip with an 'image' in each class folder: `zipped(moth=b"1")`."""

    def pack(**members: bytes) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, data in members.items():
                archive.writestr(f"{name}/0.png", data)
        return buffer.getvalue()

    return pack
