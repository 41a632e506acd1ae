"""A temporary folder that goes with its process, and at the latest when the next one starts.

A killed process can't tidy up, and what it leaves may be as large as a data set. So each folder is locked by
its owner, and whoever makes one removes those that nobody holds any more.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PREFIX: Final = "chrysalis-data-"

_YOUNG: Final = 60.0
"""Seconds for which a folder is left alone: its owner may not have locked it yet."""


@contextmanager
def scratch() -> Iterator[Path]:
    """Give an empty folder for the block."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        _sweep(left)
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
        held = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_SH)
            yield Path(folder)
        finally:
            os.close(held)


def _sweep(folder: Path) -> None:
    try:
        if time.time() - folder.stat().st_mtime < _YOUNG:
            return
        held = os.open(folder, os.O_RDONLY)
    except OSError:  # gone in the meantime, or somebody else's
        return
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except OSError:  # in use
        return
    finally:
        os.close(held)
