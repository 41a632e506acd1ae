"""libtiff, which Pillow decodes TIFFs with, as it says what it thinks of a file: on our standard error.

A broken fax in a TIFF of 600 kB makes it write 8 MB there, between the lines of a log that is JSON. Pillow
tells what matters of it in its own exception.
"""

import ctypes
from contextlib import suppress
from pathlib import Path


def silence() -> None:
    """Take its two handlers of messages away, for the whole process."""
    from PIL import Image  # noqa: F401 - loads the library

    with suppress(OSError, AttributeError):  # elsewhere than on Linux, or linked otherwise: it may go on
        for path in {
            line.split(maxsplit=5)[5]
            for line in Path("/proc/self/maps").read_text().splitlines()
            if "/libtiff" in line
        }:
            library = ctypes.CDLL(path)
            for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
                library[name].restype = ctypes.c_void_p
                library[name](None)
