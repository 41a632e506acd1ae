"""Which image goes into which shard: decided once, before anything is built, by the seed alone.

The same examples and settings give the same plan on every machine, whatever its number of processes. In: the
examples of a manifest and the raw folder's table. Out: for each shard a plan file, a JSON list a line, which
whoever builds the shard reads line by line.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from operator import attrgetter
from pathlib import Path
from typing import Final, NamedTuple, TextIO

from contracts import storage
from contracts.dataset import SPLITS, Example, ResizeMode, Split
from contracts.errors import InputError
from contracts.records import shard_name
from datapipeline.records.raw import (
    IN_ARCHIVE,
    MEMBER_COLUMNS,
    RawFolder,
    RawImage,
    located,
    possible_archives,
    to_image,
)

EXAMPLES_FOR_A_SHARD: Final = 256
SHARDS_FOR_A_START: Final = 16
"""Where the bytes alone would give fewer shards, there is one for every 256 images, up to 16: so that several
processes have work, and a reader can mix several files."""

_BYTES_A_PIXEL: Final = 0.35
"""Of a photo as a JPEG of quality 90; a guess, for the number of shards only."""
_ASPECT: Final = 4 / 3

_TABLES: Final = """
CREATE TEMP TABLE example (
    path TEXT PRIMARY KEY, label INTEGER, class_name TEXT, split TEXT,
    sha256 TEXT, width INTEGER, height INTEGER, format TEXT
) WITHOUT ROWID;
CREATE TEMP TABLE planned (
    split TEXT, key TEXT, path TEXT, variant INTEGER, PRIMARY KEY (split, key)
) WITHOUT ROWID;
CREATE TEMP TABLE dealt (
    split TEXT, shard INTEGER, rank INTEGER, path TEXT, variant INTEGER, PRIMARY KEY (split, shard, rank)
) WITHOUT ROWID;
"""


_values = attrgetter(*Example.model_fields)

_FACTS: Final = 6
"""Values of a plan file's line before those of the raw image."""


class ShardPlan(NamedTuple):
    """One shard to build."""

    name: str
    uri: str
    """Of its plan file."""


class Planned(NamedTuple):
    """One line of a plan file: an image, and what the manifest says of it."""

    label: int
    sha256: str
    width: int
    height: int
    format: str
    variant: int
    """0: the image as it is; from 1 on, its augmented copies."""
    image: RawImage

    @property
    def filename(self) -> str:
        """What the record is called: the image's path, and for a copy its number."""
        return f"{self.image.path}#{self.variant}" if self.variant else self.image.path


def count_shards(examples: int, image_size: int, resize: ResizeMode, shard_mb: int) -> int:
    """How many shards a split has by default: of about `shard_mb` MiB, but see `SHARDS_FOR_A_START`."""
    pixels = image_size**2 * (_ASPECT if resize == "shorter-side" else 1)
    by_bytes = math.ceil(examples * pixels * _BYTES_A_PIXEL / (shard_mb << 20))
    to_start = min(SHARDS_FOR_A_START, math.ceil(examples / EXAMPLES_FOR_A_SHARD))
    return max(1, min(examples, max(by_bytes, to_start)))


def shard_names(split: Split, count: int) -> list[str]:
    """The names of a split's shards."""
    return [shard_name(split, index, count) for index in range(count)]


class Plan:
    """A plan in the making, in the raw folder's work table."""

    def __init__(self, raw: RawFolder, examples: Iterable[Example], seed: int, augment_minority: int) -> None:
        """Order the examples of all splits, and look into the archives that hold them.

        Args:
            raw: the raw data; it needn't be listed.
            examples: in any order.
            seed: another seed, another order.
            augment_minority: a class with fewer images in train gets augmented copies of them, up to so many.

        Raises:
            InputError: an image isn't in its archive, or the raw data is some other. Whether every file is
                there shows when it is read.
        """
        self._sql = raw.table.sql
        self._sql.executescript(_TABLES)
        self._sql.create_function(
            "key", 2, lambda path, variant: _key(path, variant, seed), deterministic=True
        )
        insert = "INSERT INTO temp.example VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        self._sql.executemany(insert, map(_values, examples))
        self._find(raw)
        self._sql.execute("INSERT INTO temp.planned SELECT split, key(path, 0), path, 0 FROM temp.example")
        self._augment(augment_minority)

    def deal(self, names: Sequence[str]) -> None:
        """Deal every split's images, in their order, to the shards of these names, balanced to one."""
        for split in SPLITS:
            count = max(1, sum(name.startswith(f"{split}-") for name in names))
            rows = self._sql.execute(
                "SELECT path, variant FROM temp.planned WHERE split = ? ORDER BY key", (split,)
            )
            self._sql.executemany(
                "INSERT INTO temp.dealt VALUES (?, ?, ?, ?, ?)",
                ((split, rank % count, rank, *row) for rank, row in enumerate(rows)),
            )

    def write(self, names: Sequence[str], folder: str) -> Iterator[ShardPlan]:
        """Write each shard's plan file to a folder (a path or a gs:// URI) and yield its plan.

        Args:
            names: as given to `deal`.
            folder: of our own; what a killed run left there is replaced.
        """
        for name in names:
            split, shard = name.split("-")[:2]
            uri = storage.join(folder, f"{name}.jsonl")
            with _opened(uri) as file:
                file.writelines(f"{json.dumps(row)}\n" for row in self._rows(split, int(shard)))
            yield ShardPlan(name, uri)

    def _rows(self, split: str, shard: int) -> Iterator[tuple[object, ...]]:
        yield from self._sql.execute(
            "SELECT label, example.sha256, example.width, example.height, example.format, variant,"
            f" path, example.class_name, COALESCE(file, path), {MEMBER_COLUMNS}"
            " FROM temp.dealt JOIN temp.example USING (path) LEFT JOIN image USING (path)"
            " WHERE dealt.split = ? AND shard = ? ORDER BY rank",
            (split, shard),
        )

    def _find(self, raw: RawFolder) -> None:
        """Only archives are looked into: listing a million files of a bucket takes longer than their plan."""
        within = f"SELECT path FROM temp.example WHERE instr(path, '{IN_ARCHIVE}')"
        archives = {file for (path,) in self._sql.execute(within) for file in possible_archives(path)}
        for file in sorted(archives):
            with suppress(storage.NotFoundError):
                raw.look_into(file)
        files = f"{within} AND path NOT IN (SELECT path FROM image) UNION SELECT MIN(path) FROM temp.example"
        for (path,) in self._sql.execute(f"{files} WHERE NOT instr(path, '{IN_ARCHIVE}')"):
            if path is not None and not storage.exists(located(raw.root, path)):
                raise InputError(f"the raw data holds no image {path}: was it changed? Run process again")

    def _augment(self, wanted: int) -> None:
        query = (
            "SELECT label, COUNT(*) FROM temp.example WHERE split = 'train'"
            " GROUP BY label HAVING COUNT(*) < ?"
        )
        for label, count in self._sql.execute(query, (wanted,)).fetchall():
            paths = self._sql.execute(
                "SELECT path FROM temp.example WHERE split = 'train' AND label = ? ORDER BY key(path, 0)",
                (label,),
            ).fetchall()
            copies = ((*paths[number % count], 1 + number // count) for number in range(wanted - count))
            self._sql.executemany("INSERT INTO temp.planned VALUES ('train', key(?1, ?2), ?1, ?2)", copies)


@contextmanager
def _opened(uri: str) -> Iterator[TextIO]:
    if storage.is_remote(uri):
        with storage.writing(uri) as path, path.open("w") as file:
            yield file
    else:  # not through `writing`, which waits for the disk: these needn't outlive us
        Path(uri).parent.mkdir(parents=True, exist_ok=True)
        with Path(uri).open("w") as file:
            yield file


def read_plan(uri: str) -> Iterator[Planned]:
    """Read a plan file, line by line."""
    with storage.local_copy(uri) as path, path.open() as file:
        for line in file:
            values = json.loads(line)
            yield Planned._make((*values[:_FACTS], to_image(values[_FACTS:])))


def _key(path: str, variant: int, seed: int) -> str:
    # A hash rather than random.shuffle: Python's generator may change what it gives for a seed.
    name = f"{path}\0{variant}" if variant else path  # no path holds a NUL
    return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()
