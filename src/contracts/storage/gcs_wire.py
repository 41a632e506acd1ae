"""A small object in one bare request, over the client's own credentials, proxies and certificates.

Google's client spends 0.6 ms of CPU on each call, and these a third of it. They are one quick attempt: where
it doesn't succeed, for whatever reason, the answer is None and the caller asks the client, which refreshes
credentials, waits, retries and knows what every failure means.
"""

import http.client
import json
import os
import re
import secrets
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import quote

import google.auth.transport.requests
import google_crc32c
import requests
import requests.adapters
import urllib3

from contracts.storage import gcs_access
from contracts.storage.types import FileInfo

SMALL = 1 << 20
"""Bytes up to which an object goes this way: it is held in memory, once for each thread."""

CONNECTIONS = 32
"""How many requests are under way at once: where an answer takes 20 ms, that is 1,600 a second."""

PIECE = 1 << 20
"""Bytes of a range that are read at once, all into the same memory: fresh memory for each piece has to be
mapped and faulted in anew, which took as long as everything else."""

_CRC_PIECE = 64 << 10
"""Bytes whose checksum is taken at once: google_crc32c wants them copied, and these fit a core's cache."""


class _Wire(NamedTuple):
    """Where requests go, and whom they come from."""

    address: str
    pool: Any
    credentials: Any
    refresh: Any


def get(bucket: str, name: str) -> tuple[bytes, str | None] | None:
    """Ask for an object's bytes as they are stored; with them, the crc32c that the server tells."""
    path = f"/download/storage/v1/b/{bucket}/o/{quote(name, safe='')}?alt=media"
    # Without it, Cloud Storage would decode what was stored with a content encoding.
    response = _answer("GET", path, {"Accept-Encoding": "gzip"}, None)
    if response is None:
        return None
    told = re.search(r"crc32c=([^, ]+)", response.headers.get("X-Goog-Hash", ""))
    return response.data, told and told[1]


def put(bucket: str, name: str, kind: str, data: bytes, crc32c: str) -> FileInfo | None:
    """Send an object with its checksum, which the server compares; what is stored then."""
    boundary = secrets.token_hex(16)
    about = json.dumps({"name": name, "contentType": kind, "crc32c": crc32c})
    head = f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{about}"
    body = b"%b\r\n--%b\r\nContent-Type: %b\r\n\r\n%b\r\n--%b--" % (
        *(text.encode() for text in (head, boundary, kind)),
        data,
        boundary.encode(),
    )
    headers = {"Content-Type": f"multipart/related; boundary={boundary}"}
    path = f"/upload/storage/v1/b/{bucket}/o?uploadType=multipart&name={quote(name, safe='')}"
    response = _answer("POST", path, headers, body)
    if response is None:
        return None
    try:
        told = json.loads(response.data)
        return FileInfo(name.rsplit("/", 1)[-1], int(told["size"]), told["crc32c"], int(told["generation"]))
    except (ValueError, KeyError, TypeError):  # not Cloud Storage, but a proxy's own page
        return None


def get_range(bucket: str, name: str, first: int, last: int, file: int) -> int | None:
    """Write a range of an object to its place in an open file; the range's crc32c."""
    path = f"/download/storage/v1/b/{bucket}/o/{quote(name, safe='')}?alt=media"
    headers = {"Accept-Encoding": "gzip", "Range": f"bytes={first}-{last}"}
    try:
        response = _asked("GET", path, headers, None, preload_content=False)
    except urllib3.exceptions.HTTPError:
        return None
    position, crc = first, 0
    if response.status == requests.codes.partial_content:
        for piece in _pieces(response):
            position += os.pwrite(file, piece, position)
            for start in range(0, len(piece), _CRC_PIECE):
                crc = google_crc32c.extend(crc, bytes(piece[start : start + _CRC_PIECE]))
    if position != last + 1:
        response.close()  # its connection isn't fit for another request
        return None
    response.release_conn()
    return int(crc)


def _pieces(response: Any) -> Iterator[memoryview]:
    """Yield a body's pieces, each in the memory of the last; where the body breaks off, they just end."""
    buffer = memoryview(bytearray(PIECE))
    body = response._original_response  # urllib3's own readinto takes fresh memory, and copies
    try:
        while size := body.readinto(buffer):
            yield buffer[:size]
    except (OSError, http.client.HTTPException):
        return


def _answer(method: str, path: str, headers: dict[str, str], body: bytes | None) -> Any | None:
    try:
        response = _asked(method, path, headers, body)
    except urllib3.exceptions.HTTPError:
        return None
    return response if response.status == requests.codes.ok else None


def _asked(method: str, path: str, headers: dict[str, str], body: bytes | None, **how: Any) -> Any:
    wire = _wire(os.getpid(), os.environ.get(gcs_access.EMULATOR))
    wire.credentials.before_request(wire.refresh, method, wire.address + path, headers)
    timeout = urllib3.Timeout(*gcs_access.TIMEOUT)
    how = {"retries": False, "redirect": False, "decode_content": False, "timeout": timeout, **how}
    return wire.pool.urlopen(method, path, body, headers, **how)


@cache  # by process, since a connection doesn't survive a fork
def _wire(pid: int, emulator: str | None) -> _Wire:
    client = gcs_access.client(pid, emulator)
    session, address = client._http, client._connection.get_api_base_url_for_mtls()
    if not session.is_mtls:
        session.mount(address, requests.adapters.HTTPAdapter(pool_maxsize=CONNECTIONS))
    settings = session.merge_environment_settings(address, {}, False, None, None)
    pool = session.get_adapter(address).get_connection_with_tls_context(
        requests.Request("GET", address).prepare(),
        settings["verify"],
        settings["proxies"],
        settings["cert"],
    )
    return _Wire(address, pool, session.credentials, google.auth.transport.requests.Request())
