"""A trial's epochs, as its training writes them into `history.csv`."""

import csv

from contracts import storage
from models.trainer.checkpoints import score
from models.trainer.run_folder import HISTORY

Row = dict[str, float]


def read_history(folder: str) -> list[Row]:
    """The epochs that a run has behind it: of each the measures by name."""
    try:
        text = storage.read_bytes(storage.join(folder, HISTORY)).decode()
    except storage.NotFoundError:
        return []
    return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(text.splitlines())]


def exported(history: list[Row]) -> Row:
    """The epoch that the training exports."""
    return max(history, key=score)
