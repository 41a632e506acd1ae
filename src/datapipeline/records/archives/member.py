"""A file in an archive, and what every kind of archive can do."""

import stat
from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol

from contracts.errors import InputError

LINK_OR_DEVICE: Final = "a link or a device"
DAMAGED: Final = "damaged in its archive"
TOO_SHORT: Final = f"{DAMAGED}: it ends too soon"
OUTSIDE: Final = f"{DAMAGED}: it doesn't lie inside it"


class UnreadableError(ValueError):
    """A member can't be read. The message is the reason, short enough for a table's cell."""


class DamagedError(ValueError):
    """An archive's directory can't be read. The message is the reason; `broken` makes it the user's error."""


class Member(NamedTuple):
    """A file in an archive."""

    name: str
    """As the archive has it; may hold surrogates where its bytes aren't text."""
    offset: int
    """Bytes from the archive's start: of a zip member's local header, of a tar member's first byte."""
    bytes: int
    """Uncompressed."""
    packed: int
    """Bytes, as it lies in the archive."""
    method: int
    """`zipfile.ZIP_STORED`, `ZIP_DEFLATED`, …; a tar's members are stored."""
    crc32: int | None
    """Of the uncompressed bytes; None: a tar states none."""
    trouble: str | None
    """Why it is refused, where that is known already; short enough for a table's cell."""


class Archive(Protocol):
    """An open archive."""

    def members(self) -> Iterator[Member]:
        """Walk its files, in the directory's order; folders are left out.

        Members may be read while it runs, and it may be run again.

        Raises:
            InputError: its directory is damaged; that may show only after some members.
        """

    def read(self, member: Member) -> bytes:
        """Read one file whole; nothing needs to have been listed.

        Raises:
            UnreadableError: it is damaged, or refused for its `trouble`.
        """

    def close(self) -> None:
        """Close it."""


def broken(uri: str, error: Exception) -> InputError:
    """What to tell of an archive that can't be read."""
    return InputError(f"{uri} isn't an archive that can be read ({error}): download or make it again")


def is_no_file(mode: int) -> bool:
    """Whether the type in a Unix mode is that of a link, a device, a pipe or a socket; 0: it has none."""
    return stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR)
