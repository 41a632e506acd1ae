"""A bare Cloud Storage on the loopback interface: the JSON API's uploads and downloads, in memory.

Peers are compared against it because the pip emulator itself allows 40 uploads a second. It holds one bucket
after another's name without being asked, checks the crc32c that comes with an upload, and can put a latency
before every answer. `python -m benchmarks.loopback_gcs [SECONDS]` prints its address and serves until killed.
"""

import asyncio
import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO, cast
from urllib.parse import parse_qs, unquote, urlsplit

import google_crc32c

SLICE = 1 << 20
"""Bytes of a large answer that are handed to the socket at once."""


@dataclass(frozen=True)
class Request:
    """One request: the path's parts below /b/, decoded, and the query's first values."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytearray


@dataclass(frozen=True)
class Answer:
    """What is sent back; HOST in a header's value becomes this server's address."""

    status: str = "200 OK"
    body: bytes | memoryview = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stored:
    """An object: its resource as the API shows it, and its bytes."""

    resource: dict[str, str]
    data: bytes


class Buckets:
    """What is stored, and the uploads that are under way."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Stored] = {}
        self.uploads: dict[str, tuple[str, str, bytearray]] = {}

    def answer(self, request: Request) -> Answer:
        """Do what a request asks."""
        upload = request.path.startswith("/upload/")
        bucket, _, name = request.path.split("/b/", 1)[1].partition("/o")
        name = unquote(name.removeprefix("/"))
        if upload:
            return self._upload(bucket, request)
        if not name:
            return self._list(bucket, request.query)
        return self._one(bucket, name, request)

    def _one(self, bucket: str, name: str, request: Request) -> Answer:
        stored = self.objects.get((bucket, name))
        if stored is None:
            return Answer("404 Not Found", b"{}")
        if request.method == "DELETE":
            del self.objects[bucket, name]
            return Answer("204 No Content")
        if request.query.get("alt") != "media":
            return _json(stored.resource)
        return _media(stored, request.headers.get("range", ""))

    def _list(self, bucket: str, query: dict[str, str]) -> Answer:
        start = query.get("prefix", "")
        names = sorted(name for held, name in self.objects if held == bucket and name.startswith(start))
        names = [name for name in names if name > query.get("pageToken", "")]
        page = names[: int(query.get("maxResults", 1000))]
        more = {"nextPageToken": page[-1]} if len(page) < len(names) else {}
        return _json({"items": [self.objects[bucket, name].resource for name in page], **more})

    def _upload(self, bucket: str, request: Request) -> Answer:
        kind, name = request.query.get("uploadType"), request.query.get("name", "")
        if request.method == "PUT":
            return self._chunk(request)
        if kind == "media":
            return self._store(bucket, name, memoryview(request.body), None)
        if kind == "resumable":
            about = json.loads(request.body or b"{}")
            return self._begin(bucket, name or about["name"], int(request.headers["x-upload-content-length"]))
        boundary = request.headers["content-type"].partition("boundary=")[2].strip('"')
        about_at = request.body.index(b"\r\n\r\n") + 4
        about_end = request.body.index(b"\r\n--", about_at)
        data_at = request.body.index(b"\r\n\r\n", about_end) + 4
        data = memoryview(request.body)[data_at : request.body.rindex(b"\r\n--" + boundary.encode())]
        about = json.loads(request.body[about_at:about_end])
        return self._store(bucket, name or about["name"], data, about.get("crc32c"))

    def _begin(self, bucket: str, name: str, size: int) -> Answer:
        key = str(len(self.uploads))
        self.uploads[key] = (bucket, name, bytearray(size))
        return Answer(headers={"Location": f"HOST/upload/storage/v1/b/{bucket}/o?upload_id={key}"})

    def _chunk(self, request: Request) -> Answer:
        key = request.query["upload_id"]
        bucket, name, data = self.uploads[key]
        start, end = request.headers["content-range"].removeprefix("bytes ").split("/")[0].split("-")
        data[int(start) : int(end) + 1] = request.body
        if int(end) + 1 < len(data):
            return Answer("308 Resume Incomplete", headers={"Range": f"bytes=0-{end}"})
        del self.uploads[key]
        return self._store(bucket, name, data, None)

    def _store(self, bucket: str, name: str, content: bytearray | memoryview, crc32c: str | None) -> Answer:
        data = bytes(content)
        summed = base64.b64encode(google_crc32c.Checksum(data).digest()).decode()
        if crc32c not in (None, summed):
            return Answer("400 Bad Request", b'{"error": {"message": "the crc32c differs"}}')
        about = {"name": name, "bucket": bucket, "size": str(len(data)), "crc32c": summed, "generation": "1"}
        self.objects[bucket, name] = Stored(about, data)
        return _json(about)


def _json(content: object) -> Answer:
    return Answer(body=json.dumps(content).encode(), headers={"Content-Type": "application/json"})


def _media(stored: Stored, wanted: str) -> Answer:
    whole = memoryview(stored.data)
    headers = {"X-Goog-Hash": f"crc32c={stored.resource['crc32c']}", "X-Goog-Generation": "1"}
    if not wanted:
        return Answer("200 OK", whole, headers)
    first, last = wanted.removeprefix("bytes=").split("-")
    part = whole[int(first) : int(last or len(whole)) + 1]
    headers["Content-Range"] = f"bytes {first}-{int(first) + len(part) - 1}/{len(whole)}"
    return Answer("206 Partial Content", part, headers)


class Connection(asyncio.BufferedProtocol):
    """One client's connection, kept alive; a body is received right into its place."""

    def __init__(self, buckets: Buckets, latency: float) -> None:
        self.buckets, self.latency = buckets, latency
        self.head, self.filled = bytearray(1 << 16), 0
        self.request: Request | None = None
        self.writable = asyncio.Event()
        self.writable.set()
        self.tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self.transport = cast(asyncio.Transport, transport)

    def pause_writing(self) -> None:
        """Wait: the client reads more slowly than we write."""
        self.writable.clear()

    def resume_writing(self) -> None:
        """Go on."""
        self.writable.set()

    def connection_lost(self, _error: Exception | None) -> None:
        """Drop the answers that nobody waits for."""
        for task in self.tasks:
            task.cancel()

    def get_buffer(self, _hint: int) -> memoryview:
        """Where the next bytes belong: the head's buffer or the body itself."""
        into = self.head if self.request is None else self.request.body
        return memoryview(into)[self.filled :]

    def buffer_updated(self, count: int) -> None:
        """Answer as soon as a request is whole."""
        self.filled += count
        if self.request is None:
            end = self.head.find(b"\r\n\r\n", 0, self.filled)
            if end < 0:
                return
            self.request, rest = _parsed(self.head[:end]), self.head[end + 4 : self.filled]
            self.request.body[: len(rest)] = rest
            self.filled = len(rest)
        if self.filled == len(self.request.body):
            request, self.request, self.filled = self.request, None, 0
            self._answer(request)

    def _answer(self, request: Request) -> None:
        answer = self.buckets.answer(request)
        headers = {"Content-Length": str(len(answer.body)), **answer.headers}
        lines = [f"HTTP/1.1 {answer.status}", *(f"{key}: {value}" for key, value in headers.items())]
        head = (
            "\r\n".join(lines).replace("HOST", "http://" + request.headers["host"], 1).encode() + b"\r\n\r\n"
        )
        if not self.latency and len(answer.body) < SLICE:
            self.transport.write(head + answer.body)
            return
        task = asyncio.get_running_loop().create_task(self._send(head, memoryview(answer.body)))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _send(self, head: bytes, body: memoryview) -> None:
        await asyncio.sleep(self.latency)
        self.transport.write(head)
        for start in range(0, len(body), SLICE):
            await self.writable.wait()
            self.transport.write(body[start : start + SLICE])


def _parsed(head: bytearray) -> Request:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    parts = urlsplit(target)
    query = {key: values[0] for key, values in parse_qs(parts.query).items()}
    headers = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    return Request(method, parts.path, query, headers, bytearray(int(headers.get("content-length", 0))))


@contextmanager
def serving(latency: float = 0.0) -> Iterator[str]:
    """Run the server in a process of its own; its address."""
    command = [sys.executable, "-m", "benchmarks.loopback_gcs", str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield cast(TextIO, server.stdout).readline().strip()
        finally:
            server.kill()


async def _serve(latency: float) -> None:
    buckets = Buckets()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(buckets, latency), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)  # noqa: T201
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1]) if sys.argv[1:] else 0.0))
