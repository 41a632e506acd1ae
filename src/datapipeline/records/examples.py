"""`{train,val,test}.csv` and `rejected.csv`: their rows as text, and the digest that the manifest holds."""

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence

from pydantic import ValidationError

from contracts import storage
from contracts.dataset import SPLITS, Example, Manifest, Rejected, Split
from contracts.errors import InputError

REJECTED = "rejected.csv"


def csv_name(split: Split) -> str:
    """The name of a split's table."""
    return f"{split}.csv"


def to_csv(kind: type[Example] | type[Rejected], rows: Iterable[Example] | Iterable[Rejected]) -> bytes:
    """Rows as CSV in UTF-8, with the fields' names above them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(kind.model_fields)
    writer.writerows(row.model_dump().values() for row in rows)
    return text.getvalue().encode()


def digest(examples: Iterable[Example]) -> str:
    """sha256 over every example's path, label, split and sha256, in order of path."""
    total = hashlib.sha256()
    for row in sorted(examples, key=lambda row: row.path):
        total.update(f"{row.path}\0{row.label}\0{row.split}\0{row.sha256}\n".encode())
    return total.hexdigest()


def write_examples(folder: str, examples: Sequence[Example]) -> None:
    """Write the three tables, each sorted by path."""
    for split in SPLITS:
        rows = sorted((row for row in examples if row.split == split), key=lambda row: row.path)
        storage.write_bytes(storage.join(folder, csv_name(split)), to_csv(Example, rows))


def read_examples(folder: str, manifest: Manifest) -> list[Example]:
    """Read the three tables.

    Raises:
        InputError: one is missing or bad, or together they aren't what the manifest was written for.
    """
    examples = [row for split in SPLITS for row in _read(storage.join(folder, csv_name(split)))]
    if digest(examples) != manifest.digest:
        raise InputError(
            f"the tables in {folder} aren't those that its {Manifest.file_name} describes: "
            f"run {Manifest.made_by} again"
        )
    return examples


def _read(uri: str) -> list[Example]:
    try:
        text = storage.read_bytes(uri).decode()
        return [Example.model_validate(row) for row in csv.DictReader(io.StringIO(text, newline=""))]
    except storage.NotFoundError:
        raise InputError(f"{uri} doesn't exist: run {Manifest.made_by} again") from None
    except (ValidationError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{uri} isn't a table of images: {error}; run {Manifest.made_by} again") from None
