"""Memory that the process has no more use for, given back to the system; elsewhere than on Linux it stays."""

import ctypes
import gc
import mmap
from contextlib import suppress
from pathlib import Path

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Of glibc's mallopt."""

_LARGE = 1 << 20
"""Bytes from which on memory is mapped by itself: photos among small things would keep a heap large."""


def share_heap() -> None:
    """Let all threads that are still to come take memory from one heap.

    glibc would give each its own, which keeps what was freed. What is large is given back at once.
    """
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        for parameter, value in (
            (_M_ARENA_MAX, 1),
            (_M_MMAP_THRESHOLD, _LARGE),
            (_M_TRIM_THRESHOLD, _LARGE),
        ):
            library.mallopt(parameter, value)


def release_pages(path: Path) -> None:
    """Give back the pages of a file that is mapped for reading; the system reads them again where needed."""
    with suppress(OSError, AttributeError):
        for line in Path("/proc/self/maps").read_text().splitlines():
            addresses, *_, name = line.split(maxsplit=5)
            if name == str(path.resolve()):
                start, end = (int(address, 16) for address in addresses.split("-"))
                span = ctypes.c_void_p(start), ctypes.c_size_t(end - start)
                ctypes.CDLL(None).madvise(*span, mmap.MADV_DONTNEED)


def release_heap() -> None:
    """Give back what is free: glibc would keep a model's memory, and take more for the next one."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
