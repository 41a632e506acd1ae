"""`{train,val,test}.csv`, `rejected.csv` and `duplicates.csv`: rows as text, and the digest of the examples.

Rows are streamed: none of this grows with their number.
"""

import csv
import hashlib
import heapq
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from operator import attrgetter
from typing import Any

from pydantic import ValidationError

from contracts import storage
from contracts.dataset import SPLITS, Example, Manifest, Split
from contracts.errors import InputError
from datapipeline.records.worktable import WorkTable

REJECTED = "rejected.csv"
DUPLICATES = "duplicates.csv"


def csv_name(split: Split) -> str:
    """The name of a split's table."""
    return f"{split}.csv"


def write_csv(uri: str, names: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """Write rows as CSV in UTF-8, with the columns' names above them."""
    with _writing(uri, names) as writer:
        writer.writerows(rows)


class Digest:
    """sha256 over every example's path, label, split and sha256; they come in the order of their paths."""

    def __init__(self) -> None:
        self._total = hashlib.sha256()

    def add(self, path: str, label: int, split: str, sha256: str) -> None:
        """Take one more example in."""
        self._total.update(f"{path}\0{label}\0{split}\0{sha256}\n".encode())

    def hexdigest(self) -> str:
        """The digest of all that was added."""
        return self._total.hexdigest()


def write_examples(table: WorkTable, class_names: Sequence[str], folder: str) -> str:
    """Write the three tables, each sorted by path; returns their digest. Labels count the class names."""
    labels = {name: label for label, name in enumerate(class_names)}
    digest = Digest()
    query = "SELECT path, class_name, split, sha256, width, height, format FROM image ORDER BY path"
    with ExitStack() as files:
        writers = {
            split: files.enter_context(_writing(storage.join(folder, csv_name(split)))) for split in SPLITS
        }
        for path, class_name, split, sha256, *rest in table.sql.execute(query):
            label = labels[class_name]
            writers[split].writerow((path, label, class_name, split, sha256, *rest))
            digest.add(path, label, split, sha256)
    return digest.hexdigest()


def read_examples(folder: str, manifest: Manifest) -> Iterator[Example]:
    """Yield the rows of the three tables, sorted by path.

    Raises:
        InputError: one is missing or bad; or, at the end, they aren't what the manifest was written for.
    """
    digest, counts = Digest(), {split: dict.fromkeys(manifest.class_names, 0) for split in SPLITS}
    tables = [_read(storage.join(folder, csv_name(split))) for split in SPLITS]
    for row in heapq.merge(*tables, key=attrgetter("path")):
        digest.add(row.path, row.label, row.split, row.sha256)
        if manifest.class_names[row.label : row.label + 1] != (row.class_name,):
            break  # the digest won't be right either
        counts[row.split][row.class_name] += 1
        yield row
    if digest.hexdigest() != manifest.digest or counts != manifest.counts:
        raise InputError(
            f"the tables in {folder} aren't those that its {Manifest.file_name} describes: "
            f"run {Manifest.made_by} again"
        )


@contextmanager
def _writing(uri: str, names: Iterable[str] = tuple(Example.model_fields)) -> Iterator[Any]:
    with storage.writing(uri) as path, path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        yield writer


def _read(uri: str) -> Iterator[Example]:
    try:
        with storage.local_copy(uri) as path, path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield Example.model_validate(row)
    except storage.NotFoundError:
        raise InputError(f"{uri} doesn't exist: run {Manifest.made_by} again") from None
    except (ValidationError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{uri} isn't a table of images: {error}; run {Manifest.made_by} again") from None
