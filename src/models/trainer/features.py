"""What a frozen base makes of images: computed once for each view, and kept in memory or in files."""

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from contracts import storage
from contracts.console import progress
from models.trainer.input_pipeline import Batches, Epoch, Pixels, SplitShards, evaluation
from models.trainer.loop import distributed

MEMORY_SHARE = 0.25
"""Of the machine's memory that features may take; more of them are kept in files."""
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


class Features:
    """float32 [n, channels] in several tables, each an array or a file's memory map."""

    def __init__(self, tables: Sequence[NDArray[np.float32]]) -> None:
        self._tables = tables
        self._ends = np.cumsum([len(table) for table in tables])

    @property
    def shape(self) -> tuple[int, int]:
        """[n, channels]."""
        return int(self._ends[-1]), self._tables[0].shape[1]

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The rows of these numbers: [m, channels]."""
        if len(self._tables) == 1:
            return self._tables[0][rows]
        found = np.empty((len(rows), self.shape[1]), np.float32)
        where = np.searchsorted(self._ends, rows, side="right")
        for number in np.unique(where):
            here, table = where == number, self._tables[number]
            found[here] = table[rows[here] - (self._ends[number] - len(table))]
        return found


@dataclass(frozen=True)
class FrozenBase:
    """A base that doesn't change, and how images reach it."""

    network: Any
    """uint8 RGB [batch, size, size, 3] to features [batch, channels]."""
    precision: str
    """What it computes in."""
    strategy: Any
    pixels: Pixels
    batches: Batches

    def features(
        self, split: SplitShards, view: Epoch | None, folder: Path | None
    ) -> tuple[Features, NDArray[np.int64]]:
        """Features float32 [n, channels] and labels [n] of a split, in the shards' order.

        Args:
            split: its shards.
            view: how images are augmented; None: each one's centre square.
            folder: where they are kept, a file for each shard, and found again after a kill; None: in memory.
        """
        if folder is None:
            table, labels = self._computed(split, view)
            return Features([table]), labels
        folder.mkdir(parents=True, exist_ok=True)
        parts = [self._filed(part, view, folder, first) for first, part in _single(split)]
        return Features([table for table, _ in parts]), np.concatenate([labels for _, labels in parts])

    def bytes(self, images: int) -> int:
        """What the features of so many images take."""
        return images * int(self.network.output.shape[-1]) * 4

    def digest(self) -> str:
        """sha256 over the weights and over what they are given."""
        digest = hashlib.sha256(repr((self.pixels, self.precision)).encode())
        for values in self.network.get_weights():
            digest.update(values.tobytes())
        return digest.hexdigest()

    def _filed(
        self, shard: SplitShards, view: Epoch | None, folder: Path, first: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        name = f"{Path(shard.paths[0]).stem}-view{view.number if view else 0}"
        files = folder / f"{name}.labels.npy", folder / f"{name}.features.npy"
        if not all(file.exists() for file in files):
            table, labels = self._computed(shard, view, first)
            _write(files[0], labels)
            _write(files[1], table)
        return np.load(files[1], mmap_mode="r"), np.load(files[0])

    def _computed(
        self, split: SplitShards, view: Epoch | None, first: int = 0
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        local = self.strategy.experimental_local_results
        forward = tf.function(
            lambda images: tf.cast(self.network(images, training=False), tf.float32), autograph=False
        )

        @tf.function(autograph=False)  # type: ignore[untyped-decorator]
        def answer(iterator: Any) -> Any:
            images, labels, shares = next(iterator)
            return self.strategy.run(forward, (images,)), labels, shares

        images = evaluation(split, self.pixels, self.batches, view, first)
        iterator = iter(distributed(self.strategy, images))
        tables, ids = [], []
        steps = range(self.batches.steps(split.examples))
        for _ in progress(steps, total=len(steps), what="computing the frozen base's features", unit="batch"):
            values, labels, shares = (
                np.concatenate([part.numpy() for part in local(parts)]) for parts in answer(iterator)
            )
            real = shares > 0
            tables.append(values[real])
            ids.append(labels[real] if labels.ndim == 1 else labels[real].argmax(axis=1))
        return np.concatenate(tables), np.concatenate(ids)


def _write(file: Path, values: NDArray[Any]) -> None:
    with storage.writing(str(file)) as path, path.open("wb") as stream:
        np.save(stream, values)


def fit_into_memory(size: int) -> bool:
    """Whether so many bytes of features may be kept in memory."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if _CGROUP_LIMIT.is_file() and (limit := _CGROUP_LIMIT.read_text().strip()).isdigit():
        memory = min(memory, int(limit))  # a container's
    return size <= MEMORY_SHARE * memory


def forget(folder: Path) -> None:
    """Remove features that were kept in files."""
    shutil.rmtree(folder, ignore_errors=True)


def _single(split: SplitShards) -> Iterator[tuple[int, SplitShards]]:
    """Each shard alone, with the number of its first image."""
    first = 0
    for path, count in zip(split.paths, split.counts, strict=True):
        yield first, SplitShards((path,), (count,))
        first += count
