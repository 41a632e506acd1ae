"""A sheet of samples for each class."""

import sqlite3
from collections.abc import Iterator
from typing import Final, NamedTuple

from contracts.dataset import SPLITS, Manifest
from datapipeline.records.report.picture import COLUMNS, Picture, pictures

_PICTURES: Final = 200
_PER_CLASS: Final = 10


class ClassSamples(NamedTuple):
    """Some images of one class."""

    name: str
    total: int
    images: list[Picture]


class Sheet(NamedTuple):
    """Samples of classes, in the order of their names."""

    classes: list[ClassSamples]
    per_class: int
    """Images that each class has at most."""

    def pictures(self) -> Iterator[Picture]:
        """All that it shows."""
        for samples in self.classes:
            yield from samples.images


def samples(sql: sqlite3.Connection, manifest: Manifest) -> Sheet:
    """Take a few images of every class, or of classes here and there if there are too many.

    They come in the order of their hashes, which is as good as drawn, and the same every time. Of images that
    look the same, a class shows one.
    """
    names = manifest.class_names
    shown = min(len(names), _PICTURES)
    per_class = max(1, min(_PER_CLASS, _PICTURES // len(names)))
    chosen: dict[str, list[Picture]] = {names[index * len(names) // shown]: [] for index in range(shown)}
    # One pass over all images: there is no index by class.
    unlike = (
        "SELECT id, class_name, MIN(sha256 || path) AS place FROM image"
        f" WHERE class_name IN ({', '.join('?' * shown)}) GROUP BY class_name, cluster"
    )
    turns = f"SELECT id, ROW_NUMBER() OVER (PARTITION BY class_name ORDER BY place) AS turn FROM ({unlike})"
    ids = f"SELECT id FROM ({turns}) WHERE turn <= {per_class}"
    query = f"SELECT {COLUMNS} FROM image WHERE id IN ({ids}) ORDER BY class_name, sha256, path"
    for picture in pictures(sql, query, tuple(chosen)):
        chosen[picture.class_name].append(picture)
    return Sheet([ClassSamples(name, _total(manifest, name), chosen[name]) for name in chosen], per_class)


def _total(manifest: Manifest, name: str) -> int:
    return sum(manifest.counts[split][name] for split in SPLITS)
