"""Encoded bytes as a file that ends what reads without end.

Pillow parses headers in Python: a megabyte of empty chunks takes it half a second, and 30 of them in a GIF
that is all comments take hours.
"""

import io
import time
from typing import Final

MAX_READS: Final = 10_000
"""Until a file's header is parsed; a photo with all its metadata needs some hundreds."""

BYTES_A_READ: Final = 100
"""At least, of all that follows the header: a GIF's blocks have 255, read in two."""

MAX_SECONDS: Final = 6.0
"""Of the thread's CPU, for parsing and decoding; a photo of 64 megapixels takes two or three."""


class EndlessError(Exception):
    """The file was read too often, or for too long."""


class Metered(io.BytesIO):
    """A file of bytes that counts its reads."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._reads_left = MAX_READS
        self._until = time.thread_time() + MAX_SECONDS

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as a file does.

        Raises:
            EndlessError: for the last time.
        """
        self._reads_left -= 1
        if self._reads_left < 0 or time.thread_time() > self._until:
            raise EndlessError("too many parts")
        return super().read(size)

    def allow_pixels(self) -> None:
        """The header is parsed: what follows may be read in more parts, the more the longer the file is."""
        self._reads_left += len(self.getbuffer()) // BYTES_A_READ

    def end_within(self, seconds: float) -> None:
        """The pixels are there: what else is asked isn't worth more than this."""
        self._until = time.thread_time() + seconds
