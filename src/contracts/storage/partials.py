"""Temporary files: `.index.json.<host>-<random>.partial` beside `index.json`, until it gets the final name.

Who writes one holds a lock on it (flock), which ends with the process however that ends. So what a killed run
left is told from what another process is writing, in containers too, where every process has the number 1.
"""

import ctypes
import fcntl
import hashlib
import os
import re
import secrets
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

PARTIAL = ".partial"
"""How names end that listings pass over."""

_NAME = re.compile(r"\..+\.([0-9a-f]{6})-[0-9a-f]{8}\.partial")
_LONGEST = 200
"""Bytes of the final name that the temporary one takes over: a file system allows 255 in all."""
_FORGOTTEN = 3600
"""Seconds without a write after which another host's file counts as left: not every network shares locks."""


@contextmanager
def temporary(target: Path) -> Iterator[Path]:
    """Give an empty file beside `target`, to be written in place; it is gone when the block ends."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial, lock = _created(target)
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)
        os.close(lock)


def tidy(folders: Iterable[Path]) -> None:
    """Remove the temporary files in these folders whose writers no longer live."""
    for folder in folders:
        if folder.is_dir():
            with os.scandir(folder) as entries:
                found = [entry.path for entry in entries if entry.name.endswith(PARTIAL)]
            for path in found:
                _remove_if_left(Path(path))


def sync(partials: Sequence[Path]) -> None:
    """Have the disk hold these files, else a crash after a rename can leave a final name with no bytes."""
    if len(partials) > 1:  # once for all: each fsync would commit the journal, for 0.5 ms and more
        for path in {path.stat().st_dev: path for path in partials}.values():
            sync_whole(path)
    else:
        for path in partials:
            with path.open("rb") as file:
                os.fsync(file.fileno())


def sync_whole(path: Path) -> None:
    """Have the disk hold everything of the file system that a file or folder lies on."""
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)  # Linux has it, Python doesn't tell
    if syncfs is None:
        os.sync()
        return
    opened = os.open(path, os.O_RDONLY)
    try:
        if syncfs(opened):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
    finally:
        os.close(opened)


def _created(target: Path) -> tuple[Path, int]:
    name = target.name.encode()[:_LONGEST].decode(errors="ignore")
    while True:
        partial = target.with_name(f".{name}.{_host()}-{secrets.token_hex(4)}{PARTIAL}")
        lock = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
        with suppress(OSError):  # no locks on this file system, or somebody tidies up at this moment
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if partial.exists():
            return partial, lock
        os.close(lock)  # tidied away before it was locked


def _remove_if_left(partial: Path) -> None:
    ours = _NAME.fullmatch(partial.name)
    try:
        if ours is None or (ours[1] != _host() and time.time() - partial.stat().st_mtime < _FORGOTTEN):
            return
        with partial.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            partial.unlink()
    except OSError:  # being written, just published, not ours to remove, or on a file system without locks
        return


@cache
def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]
