"""One object's way up and down, whole or not at all.

Its crc32c goes up with it, so that the server refuses other bytes; what comes down is compared with the one
that the server stores. Bytes damaged on the way are sent or asked for again before that is an error.
"""

import base64
from collections.abc import Callable
from mimetypes import guess_type
from pathlib import Path
from typing import Any, TypeVar

import google_crc32c

from contracts.storage import gcs_access, gcs_parts, gcs_wire, local, uris
from contracts.storage.gcs_access import REQUEST, corrupt, translated
from contracts.storage.types import CorruptError, FileInfo, NotFoundError

CHUNK = 32 << 20
"""Bytes a request of a large upload: 1.5 times as fast as the client's default."""

LARGE = 64 << 20
"""Bytes from which on an object comes down in parts at once."""

ATTEMPTS = 4
"""How often bytes that arrive damaged are transferred."""

_RAW = {"raw_download": True, **REQUEST}
T = TypeVar("T")


def info(blob: Any) -> FileInfo:
    """What storage tells of an object that Google's client knows."""
    return FileInfo(uris.last_part(blob.name), int(blob.size), blob.crc32c, int(blob.generation))


def handle(uri: str, chunk: int | None = None) -> Any:
    """The client's handle of an object that may not exist; `chunk` is for uploads.

    Raises:
        NotFoundError: there is a bucket's name only.
    """
    bucket, name = uris.split_bucket(uri)
    if not name:
        raise NotFoundError(f"{uri} is a bucket: name a file in it")
    return gcs_access.bucket(bucket).blob(name, chunk_size=chunk)


def existing(uri: str) -> Any:
    """The client's handle of an object, with what is stored about it."""
    blob = handle(uri)
    blob.reload(**REQUEST)
    # Else it is downloaded by that link, and an emulator's has the address that whoever uploaded it knew.
    blob._properties.pop("mediaLink", None)
    return blob


def read(uri: str) -> bytes:
    """An object's bytes."""
    with translated(uri):
        handle(uri)  # which says what is wrong with a bucket
        came = gcs_wire.get(*uris.split_bucket(uri))
    if came and checksum(came[0]) == came[1]:
        return came[0]

    def attempt() -> bytes:
        with translated(uri):
            blob = handle(uri)
            data: bytes = blob.download_as_bytes(checksum="crc32c", **_RAW)
            if blob.crc32c is None:  # a proxy or an emulator can leave the header out
                blob.reload(**REQUEST)
        _check(uri, checksum(data), blob.crc32c)
        return data

    return _insisting(attempt)


def write(uri: str, data: bytes, if_generation_match: int | None) -> FileInfo:
    """Publish bytes as an object: a few by a bare request if that succeeds."""
    crc32c = checksum(data)
    if len(data) <= gcs_wire.SMALL and if_generation_match is None:
        with translated(uri):
            handle(uri)
            stored = gcs_wire.put(*uris.split_bucket(uri), _kind(uri), data, crc32c)
        if stored and stored.crc32c == crc32c:
            return stored

    def attempt() -> FileInfo:
        with translated(uri):
            blob = handle(uri)
            blob.upload_from_string(
                data,
                _kind(uri),
                if_generation_match=if_generation_match,
                checksum="crc32c",
                crc32c_checksum_value=crc32c,
                **REQUEST,
            )
        _check(uri, crc32c, blob.crc32c)
        return info(blob)

    return _insisting(attempt)


def send(path: Path, uri: str) -> FileInfo:
    """Publish a local file as an object."""
    if path.stat().st_size <= gcs_wire.SMALL:
        return write(uri, path.read_bytes(), None)

    def attempt() -> FileInfo:
        crc32c = local.checksum(path)
        with translated(uri):
            blob = handle(uri, CHUNK)
            options = {"checksum": "crc32c", "crc32c_checksum_value": crc32c, **REQUEST}
            blob.upload_from_filename(str(path), content_type=_kind(uri), **options)
        _check(uri, crc32c, blob.crc32c)
        return info(blob)

    return _insisting(attempt)


def receive(uri: str, path: Path, listed: FileInfo | None = None) -> None:
    """Fill a temporary file with an object; `listed` saves a request where a listing told of it."""
    if listed and listed.bytes <= gcs_wire.SMALL:
        with translated(uri):
            came = gcs_wire.get(*uris.split_bucket(uri))
        if came and checksum(came[0]) == listed.crc32c:
            path.write_bytes(came[0])
            return

    def attempt() -> None:
        with translated(uri):
            blob = existing(uri)
            if blob.size > LARGE:
                crc32c = _in_parts(uri, blob, path)
            else:
                with path.open("wb") as file:
                    handle(uri).download_to_file(file, checksum="crc32c", **_RAW)
                crc32c = local.checksum(path)
        _check(uri, crc32c, blob.crc32c)

    _insisting(attempt)


def checksum(data: bytes) -> str:
    """crc32c of some bytes, base64 as Cloud Storage gives it."""
    return base64.b64encode(google_crc32c.Checksum(data).digest()).decode()


def _in_parts(uri: str, blob: Any, path: Path) -> str:
    def ask(first: int, last: int) -> bytes:
        data: bytes = handle(uri).download_as_bytes(start=first, end=last, checksum=None, **_RAW)
        return data

    crc = gcs_parts.fetch(*uris.split_bucket(uri), blob.size, path, ask)
    return base64.b64encode(crc.to_bytes(4, "big")).decode()


def _insisting(transfer: Callable[[], T]) -> T:
    for _ in range(ATTEMPTS - 1):
        try:
            return transfer()
        except CorruptError:  # on the way, as a rule; where it is stored so, the last attempt says it
            continue
    return transfer()


def _kind(uri: str) -> str:
    return guess_type(uri)[0] or "application/octet-stream"


def _check(uri: str, ours: str, theirs: str | None) -> None:
    if ours != theirs:
        raise corrupt(uri)
