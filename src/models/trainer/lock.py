"""One process at a time in a local run folder: a lock on its `.lock`, which ends with the process.

Cloud Storage has no such lock; there, two runs that begin at once are told apart by `run.json` alone.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts import storage
from contracts.console import log
from contracts.errors import StageError

LOCK = ".lock"
"""Stays in the folder: were it deleted, two processes could hold locks on two files of that name."""


@contextmanager
def locked(output: str) -> Iterator[None]:
    """Keep other runs out of a run's folder while the block lasts; a remote folder isn't locked.

    Raises:
        StageError: another process works there.
    """
    if storage.is_remote(output):
        yield
        return
    path = Path(output, LOCK)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StageError(
                f"another run is working in {output}: wait until it ends, or choose another --output"
            ) from None
        except OSError as error:
            log(
                "this file system has no locks: nothing keeps a second run out", folder=output, why=str(error)
            )
        yield


def check_unlocked(output: str) -> None:
    """Refuse a folder that another process works in; nothing is written.

    Raises:
        StageError: there is such a process.
    """
    if storage.exists(storage.join(output, LOCK)):
        with locked(output):
            pass
