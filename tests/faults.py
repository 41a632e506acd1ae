"""A proxy that does to HTTP what networks do, by a seed: the same requests meet the same faults again.

What a request meets hangs on what it asks for and on how often that was asked before, not on the order in
which threads come.
"""

import hashlib
import http.client
import random
import re
import socket
import struct
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

FAULTS = ("503", "429", "reset", "answer lost", "cut", "flipped down", "flipped up", "slow")

_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class FaultyProxy:
    """Forwards to `upstream`, but `rate` of the requests meet one of `faults`; `met` counts them.

    Bytes are flipped only in objects: what a whole object's checksum protects. A ranged read has none, so its
    bytes are flipped only with `flip_ranges`.
    """

    def __init__(
        self,
        upstream: str,
        *,
        seed: int = 0,
        rate: float = 0.1,
        faults: tuple[str, ...] = FAULTS,
        flip_ranges: bool = False,
    ) -> None:
        self.upstream, self.seed, self.rate, self.faults = urlsplit(upstream).netloc, seed, rate, faults
        self.flip_ranges = flip_ranges
        self.met: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def fate(self, request: "_Handler") -> tuple[str, random.Random]:
        """The fault that a request meets, or "", and what decides where in its body."""
        parts = urlsplit(request.path)
        query = parse_qs(parts.query)
        kept = [query.get(key) for key in ("name", "alt", "uploadType", "prefix")]
        ranges = [request.headers.get(key) for key in ("Range", "Content-Range")]
        path = re.sub(r"/b/[^/]+", "", parts.path)  # a test's bucket has another name each time
        key = f"{self.seed} {request.command} {path} {kept} {ranges}"
        with self._lock:
            self._asked[key] += 1
            nth = self._asked[key]
        rng = random.Random(hashlib.sha256(f"{key} {nth}".encode()).digest())
        return (rng.choice(self.faults) if rng.random() < self.rate else ""), rng

    def count(self, fault: str) -> None:
        with self._lock:
            self.met[fault] += 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that went away (we reset it, as a rule) is no news; a test sees everything else."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(*_)


class _Handler(BaseHTTPRequestHandler):
    proxy: FaultyProxy
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault, rng = self.proxy.fate(self)
        if fault == "reset":
            return self._reset(fault)
        if fault in ("503", "429"):
            self.proxy.count(fault)
            return self._answer(int(fault), {}, b"{}")
        if fault == "slow":
            self.proxy.count(fault)
            time.sleep(0.3)
        if fault == "flipped up":
            body = self._flipped_up(body, rng)
        status, headers, content = self._forward(body)
        if fault == "answer lost":
            return self._reset(fault)
        whole = "alt=media" in self.path and (self.proxy.flip_ranges or "Range" not in self.headers)
        if fault == "flipped down" and whole and content and status < 300:
            self.proxy.count(fault)
            content = _flipped(content, rng.randrange(len(content)), rng)
        if fault == "cut" and content:
            self.proxy.count(fault)
            self._answer(status, headers, content, sent=rng.randrange(len(content)))
            self.close_connection = True
            return None
        return self._answer(status, headers, content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Keep the test's output clean."""

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.proxy.upstream, timeout=30)
        try:
            # The Host stays the proxy's, so that an upload's address leads here again.
            headers = {key: value for key, value in self.headers.items() if key.lower() not in _HOP}
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            kept = {key: value for key, value in response.getheaders() if key.lower() not in _HOP}
            return response.status, kept, response.read()
        finally:
            connection.close()

    def _answer(self, status: int, headers: dict[str, str], body: bytes, sent: int | None = None) -> None:
        self.send_response_only(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body[:sent])

    def _reset(self, fault: str) -> None:
        self.proxy.count(fault)
        # Lingering for no time sends RST instead of FIN.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def _flipped_up(self, body: bytes, rng: random.Random) -> bytes:
        """Flip a byte of the object, not of what is said about it."""
        query = parse_qs(urlsplit(self.path).query)
        start, end = 0, len(body)
        if query.get("uploadType") == ["multipart"]:
            start = body.index(b"\r\n\r\n", body.index(b"\r\n\r\n") + 4) + 4
            end = body.rindex(b"\r\n--")
        elif self.command != "PUT":
            return body
        if start >= end:
            return body
        self.proxy.count("flipped up")
        return _flipped(body, rng.randrange(start, end), rng)


def _flipped(data: bytes, at: int, rng: random.Random) -> bytes:
    return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
