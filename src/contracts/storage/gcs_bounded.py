"""One object for somebody who waits for it: within bytes and seconds, whatever the bucket does."""

import io
import time
from typing import Any

from google.cloud.storage.retry import DEFAULT_RETRY

from contracts.storage import gcs_access, uris
from contracts.storage.gcs_access import corrupt, translated
from contracts.storage.gcs_transfer import checksum
from contracts.storage.types import NotFoundError, TooLargeError, UnreachableError


def read(uri: str, max_bytes: int, timeout_s: float) -> bytes:
    """Read an object of at most so many bytes; `files.read_bounded` says what is raised."""
    deadline = time.monotonic() + timeout_s
    bucket, name = uris.split_bucket(uri)
    if not name:
        raise NotFoundError(f"{uri} is a bucket: name a file in it")
    with translated(uri):
        stored = gcs_access.unasked_bucket(bucket).blob(name)
        stored.reload(**_within(deadline))
        if stored.size > max_bytes:
            raise TooLargeError(f"{uri} has {stored.size} bytes, and at most {max_bytes} are read")
        # This generation: a larger one may come in between.
        blob = stored.bucket.blob(name, generation=stored.generation)
        into = _Bounded(uri, max_bytes, deadline)
        blob.download_to_file(into, checksum=None, raw_download=True, **_within(deadline))
    data = into.getvalue()
    if checksum(data) != stored.crc32c:
        raise corrupt(uri)
    return data


def _within(deadline: float) -> dict[str, Any]:
    left = max(0.1, deadline - time.monotonic())
    return {"timeout": (min(left, 5), left), "retry": DEFAULT_RETRY.with_timeout(left)}


class _Bounded(io.BytesIO):
    """Memory that takes so many bytes until a deadline: a body may drip, or not end."""

    def __init__(self, uri: str, max_bytes: int, deadline: float) -> None:
        super().__init__()
        self._uri, self._max_bytes, self._deadline = uri, max_bytes, deadline

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > self._max_bytes:
            raise TooLargeError(f"{self._uri} has more than {self._max_bytes} bytes")
        if time.monotonic() > self._deadline:
            raise UnreachableError(f"{self._uri} comes too slowly")
        return super().write(data)
