"""A body that has arrived in part: its bytes, and what they are part of, under hidden names by the target.

Both outlive a killed run. `.x.zip.partial` holds the first bytes of the body; `.x.zip.state.partial` says
which body that is, so that the rest is only ever asked of the same one. Listings skip both.
"""

import os
from pathlib import Path
from typing import BinaryIO

from pydantic import NonNegativeInt, ValidationError

from contracts.documents import Part
from contracts.storage import PARTIAL


class State(Part):
    """The body that the bytes are of."""

    uri: str
    etag: str | None
    """Strong ones only: a weak one promises the same meaning, not the same bytes."""
    last_modified: str | None
    """As the server wrote it, and only where it is a second or more older than the answer."""
    total: NonNegativeInt | None
    """Bytes of the whole body, where the server said so."""

    @property
    def validator(self) -> str | None:
        """What `If-Range` takes; None: the server gave nothing that tells this body from a later one."""
        return self.etag or self.last_modified


class Partial:
    """The bytes of one body so far."""

    def __init__(self, target: Path, uri: str) -> None:
        """Take up what an earlier run left, where it is of the same address.

        Args:
            target: the final name.
            uri: what is fetched.
        """
        self.path = target.with_name(f".{target.name}{PARTIAL}")
        self._described = target.with_name(f".{target.name}.state{PARTIAL}")
        self._target = target
        self.state = self._read()
        if self.state is None or self.state.uri != uri:
            self.discard()
        self.pieces = 1 if self.size else 0
        """How many answers the bytes came in, at least."""

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def begin(self, state: State) -> None:
        """Start at zero with another body."""
        self.discard()  # first: at no moment may old bytes stand under a new state
        self._described.parent.mkdir(parents=True, exist_ok=True)
        new = self._described.with_name(f".{self._target.name}.new{PARTIAL}")
        new.write_text(state.model_dump_json())
        new.replace(self._described)
        self.state, self.pieces = state, 0

    def append(self) -> BinaryIO:
        """Open the file to add to it."""
        self.pieces += 1
        return self.path.open("ab")

    def discard(self) -> None:
        """Forget everything."""
        self.path.unlink(missing_ok=True)
        self._described.unlink(missing_ok=True)
        self.state = None

    def publish(self) -> None:
        """Give the bytes their final name."""
        with self.path.open("rb") as file:
            os.fsync(file.fileno())  # else a crash after the rename can leave a final name with no bytes
        self.path.replace(self._target)
        self.discard()

    def _read(self) -> State | None:
        try:
            return State.model_validate_json(self._described.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
