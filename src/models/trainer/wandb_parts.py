"""The parts of a run in W&B: each process of it keeps what it tells in a `.wandb` file of its own.

`wandb sync` sends a run's parts one after the other and appends each to those before, so a part has to begin
where the one before ended. A process that was killed may leave a part that ends within a record, or that
holds nothing yet; at either of them `wandb sync` stops, and all later parts stay behind. `mend` sees to that.

A file is a LevelDB log: a header of 7 bytes, then chunks of records, none across the border of a block of
32 KiB. A chunk has 7 bytes (crc32 of its kind and data, length, kind) before its data.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

_HEADER: Final = 7
_BLOCK: Final = 32 * 1024
_CHUNK: Final = struct.Struct("<IHB")
_WHOLE, _LAST = 1, 4
"""The kinds of chunks that end a record."""


class Part(NamedTuple):
    """What a process told."""

    path: Path
    begun: bool
    """Whether it says which run it is of; else there is nothing to send."""
    last_step: int
    """Of its history; 0: none."""


def mend(folder: Path, run: str) -> list[Part]:
    """Give the parts of a run after mending them: cut to whole records, and set aside where nothing is left.

    No process may be writing to one of them.

    Args:
        folder: what holds `wandb/`.
        run: the run's id.
    """
    parts = [_mended(path) for path in sorted(folder.glob(f"wandb/*run-*-{run}/run-{run}.wandb"))]
    for part in parts:
        if not part.begun:
            set_aside(part)
    return parts


def set_aside(part: Part) -> None:
    """Have `wandb sync` leave a part out, by the mark that it gives to those it has sent."""
    part.path.with_suffix(".wandb.synced").touch()


def is_offline(part: Part) -> bool:
    """Whether it was written without W&B's service, by the name that wandb gives its folder."""
    return part.path.parent.name.startswith("offline-")


def _mended(path: Path) -> Part:
    from wandb.proto.wandb_internal_pb2 import Record

    content = path.read_bytes()
    whole, begun, last_step = _HEADER, False, 0
    for end, data in _records(content):
        record = Record.FromString(data)
        begun = begun or record.HasField("run")
        last_step = max(last_step, record.history.step.num)
        whole = end
    if whole < len(content):
        with path.open("r+b") as file:
            file.truncate(whole)
    return Part(path, begun, last_step)


def _records(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Give each record with the position behind it, up to the first that isn't whole."""
    position, record = _HEADER, b""
    while True:
        left = _BLOCK - position % _BLOCK
        if left < _CHUNK.size:
            position += left  # no chunk begins in a block's last bytes
        if position + _CHUNK.size > len(content):
            return
        crc, length, kind = _CHUNK.unpack_from(content, position)
        position += _CHUNK.size
        data = content[position : position + length]
        if len(data) < length or zlib.crc32(data, zlib.crc32(bytes([kind]))) != crc:
            return
        position += length
        record += data
        if kind in (_WHOLE, _LAST):
            yield position, record
            record = b""
