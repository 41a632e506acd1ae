"""Bytes of a file by their place."""

import os
from typing import BinaryIO

from contracts import storage


class Ranged:
    """A file, local or remote, that is read range by range.

    A process that is forked may go on using it: forked processes share a file's position, and would move it
    under each other's hands, so the new one opens the file again.
    """

    def __init__(self, uri: str) -> None:
        """Open it.

        Raises:
            NotFoundError: it isn't there.
        """
        self._uri = uri
        self._file, self._process = storage.open_read(uri), os.getpid()
        self.size = self._file.seek(0, os.SEEK_END)

    def read(self, at: int, count: int) -> bytes:
        """Read `count` bytes, or what there is of them."""
        if at >= self.size:
            return b""
        file = self._own_file()
        file.seek(at)
        return file.read(count)

    def close(self) -> None:
        """Close it."""
        self._file.close()

    def _own_file(self) -> BinaryIO:
        if self._process != os.getpid():
            self._file.close()
            self._file, self._process = storage.open_read(self._uri), os.getpid()
        return self._file
