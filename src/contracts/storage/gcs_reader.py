"""Reading a part of an object: what a member of a large archive costs."""

import errno
import io
from typing import Any

from contracts.storage.gcs_access import REQUEST, corrupt, translated


class RangedReader(io.RawIOBase):
    """One generation of an object, read range by range; `io.BufferedReader` reads ahead for it.

    A range has the length that was asked for, or an error is raised. Its bytes have no checksum: Cloud
    Storage keeps one of the whole object only. Who reads this way checks what is read: a zip member has its
    own crc32, an example its sha256 in the manifest.
    """

    def __init__(self, uri: str, blob: Any) -> None:
        self._uri, self._blob, self._position = uri, blob, 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes: the next range begins elsewhere."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position, which may lie behind the end; nothing is fetched."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._blob.size}[whence]
        if start + offset < 0:
            raise OSError(errno.EINVAL, f"expected a position from 0 on, got {start + offset}")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fetch one range: as long as the buffer, or up to the end."""
        data = self._read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        """Fetch the rest in one range."""
        return self._read(self._blob.size)

    def _read(self, count: int) -> bytes:
        end = min(self._position + count, self._blob.size)
        if end <= self._position:
            return b""
        blob = self._blob.bucket.blob(self._blob.name, generation=self._blob.generation)
        with translated(self._uri):
            data: bytes = blob.download_as_bytes(
                start=self._position, end=end - 1, raw_download=True, checksum=None, **REQUEST
            )
        if len(data) != end - self._position:
            raise corrupt(self._uri)
        self._position += len(data)
        return data
