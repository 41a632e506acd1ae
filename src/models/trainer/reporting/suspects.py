"""Labels that are likely wrong: the table of all, and the likeliest with their pictures."""

import csv
from pathlib import Path
from typing import NamedTuple

from contracts.dataset import SPLITS, Split
from models.trainer.evaluation.label_errors import LabelError, LabelErrors
from models.trainer.reporting.album import Album

SHOWN = 24

_COLUMNS = ["filename", "split", "given", "suggested", "probability_of_given", "probability_of_suggested"]


class Suspect(NamedTuple):
    """An image whose label is likely wrong."""

    error: LabelError
    image: str | None
    """A data URI; None: the image isn't at hand."""


def suspects(found: LabelErrors, album: Album) -> list[Suspect]:
    """The likeliest label errors, `SHOWN` at most."""
    return [Suspect(error, album.whole(error.split, error.filename)) for error in found.errors[:SHOWN]]


def counts(found: LabelErrors) -> dict[Split, tuple[int, int]]:
    """For each split of which images were examined: how many, and the likely errors among them."""
    return {
        split: (found.examined[split], sum(error.split == split for error in found.errors))
        for split in SPLITS
        if found.examined.get(split)
    }


def write_label_errors(path: Path, found: LabelErrors) -> None:
    """Write the table of all, the likeliest first, as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows(
            [
                error.filename,
                error.split,
                error.given,
                error.suggested,
                f"{error.score:.6f}",
                f"{error.suggested_probability:.6f}",
            ]
            for error in found.errors
        )
