"""Shards to train on, with exactly as many images in each split as are asked for."""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from benchmarks import images
from benchmarks.commands import ENVIRONMENT, build_command, process_command
from benchmarks.images import Named
from benchmarks.measuring import measure
from contracts.dataset import Split


@dataclass(frozen=True)
class Records:
    """A data set in class folders below `train`, `val` and `test`, and its shards."""

    folder: Path
    counts: Mapping[Split, int]

    @property
    def raw(self) -> Path:
        """The images, in `<split>/<class>/`."""
        return self.folder / "raw"

    @property
    def shards(self) -> Path:
        """What `build_records` made."""
        return self.folder / "processed"


def write(folder: Path, some: list[Named], counts: Mapping[Split, int], *options: object) -> Records:
    """Write images in class folders and build their shards.

    Args:
        folder: to fill.
        some: the images; those of `train` come again under other names where there are too few.
        counts: images for each split.
        options: of `build_records`.
    """
    data = Records(folder, counts)
    left = _classes_in_turn(some)
    for split in ("test", "val"):
        left = _place(data.raw / split, left, counts[split])
    _place(data.raw / "train", list(images.repeated(left, counts["train"])), counts["train"])
    process = process_command(data.raw, folder / "interim")
    measure([*process, "--keep-split", "--near-duplicates", "ignore"], environment=ENVIRONMENT)
    measure(build_command(folder / "interim", data.shards, *options), environment=ENVIRONMENT)
    os.sync()  # lest the first trials share the disk with what is still to be written
    return data


def _place(folder: Path, some: list[Named], count: int) -> list[Named]:
    """Write the first images, and give the others."""
    for name, encoded in some[:count]:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded)
    return some[count:]


def _classes_in_turn(some: list[Named]) -> list[Named]:
    """One of each class, then another of each: a stretch of them has all classes."""
    seen: Counter[str] = Counter()
    placed = []
    for name, encoded in some:
        class_name = PurePosixPath(name).parent.name
        placed.append((seen[class_name], name, encoded))
        seen[class_name] += 1
    return [(name, encoded) for _, name, encoded in sorted(placed)]
