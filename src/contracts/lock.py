"""One process at a time in a local output folder: a lock on the folder itself, which ends with the process.

Cloud Storage has no such lock; there, two runs that begin at once are told apart by their documents alone.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from contracts import storage
from contracts.console import log
from contracts.errors import StageError

PATIENCE: Final = 3.0
"""Seconds to wait for a run that is ending: the workers of a killed one live a moment longer than it."""


@contextmanager
def locked(output: str) -> Iterator[None]:
    """Keep other runs out of an output folder while the block lasts; a remote folder isn't locked.

    A folder that wasn't there before and in which nothing was written is removed again.

    Raises:
        StageError: another process works there.
    """
    if storage.is_remote(output):
        yield
        return
    with _made(Path(output)):
        folder = os.open(output, os.O_RDONLY)
        try:
            _lock(folder, output)
            yield
        finally:
            os.close(folder)


def check_unlocked(output: str) -> None:
    """Refuse a folder that another process works in; nothing is written.

    Raises:
        StageError: there is such a process.
    """
    if not storage.is_remote(output) and Path(output).is_dir():
        with locked(output):
            pass


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    new = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        for place in new:
            if any(place.iterdir()):
                break
            place.rmdir()


def _lock(folder: int, output: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise StageError(
                    f"another run is working in {output}: wait until it ends, or choose another --output"
                ) from None
            time.sleep(0.05)
        except OSError as error:
            log(
                "this file system has no locks: nothing keeps a second run out", folder=output, why=str(error)
            )
            return
        else:
            return
