"""Load on a server: so many connections, each sending the same request again when its answer is there.

    python serving_load.py PORT PATH CONTENT_TYPE CONCURRENCY SECONDS <BODY

A process of its own, which costs little: stdout ends with one line, the `Load` as JSON. No request begins
after SECONDS; the throughput counts them all, to the last answer.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

import httptools
import uvloop


@dataclass(frozen=True)
class Load:
    """What came back."""

    milliseconds: list[float]
    """Of each answer; of several connections without each one's first, if it has more: that met no queue."""
    answers: int
    seconds: float
    """From the first request to the last answer."""
    failures: int
    """Answers other than 200, and connections that ended."""
    cpu: float = 0.0
    """Seconds of CPU that the load itself cost."""

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, request: bytes, until: float) -> None:
        self.milliseconds: list[float] = []
        self.failures = 0
        self.ended = asyncio.get_running_loop().create_future()
        self._request, self._until = request, until
        self._parser: Any = None
        self._transport: Any = None
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        """Read of an answer."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Count the answer, and send the next request."""
        self.milliseconds.append(1000 * (time.perf_counter() - self._sent))
        self.failures += self._parser.get_status_code() != 200
        if time.perf_counter() < self._until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        """A server that hangs up before its answer failed."""
        self.failures += time.perf_counter() < self._until
        self.ended.set_result(None)

    def _send(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._sent = time.perf_counter()
        self._transport.write(self._request)


async def load(port: int, request: bytes, concurrency: int, seconds: float) -> Load:
    """Send the bytes of a request over and over."""
    loop = asyncio.get_running_loop()
    began, used = time.perf_counter(), time.process_time()
    connections = [
        (await loop.create_connection(lambda: Connection(request, began + seconds), "127.0.0.1", port))[1]
        for _ in range(concurrency)
    ]
    await asyncio.gather(*(connection.ended for connection in connections))
    ended = time.perf_counter()
    every = [connection.milliseconds for connection in connections]
    later = [one for some in every for one in some[1:]] if concurrency > 1 else []
    return Load(
        later or [one for some in every for one in some],
        sum(map(len, every)),
        ended - began,
        sum(connection.failures for connection in connections),
        time.process_time() - used,
    )


def post(path: str, body: bytes, content_type: str) -> bytes:
    """A request's bytes."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def main() -> None:
    """Load the server that the arguments name."""
    port, path, content_type, concurrency, seconds = sys.argv[1:]
    request = post(path, sys.stdin.buffer.read(), content_type)
    done = uvloop.run(load(int(port), request, int(concurrency), float(seconds)))
    sys.stdout.write(json.dumps(asdict(done)) + "\n")


if __name__ == "__main__":
    main()
