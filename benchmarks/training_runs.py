"""What a training run left, without what the clock says: two runs that learnt the same have equal ones."""

import csv
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

CLOCK: Final = {"images_per_second", "data_wait", "seconds", "cpu_seconds"}
"""Columns of history.csv that no two runs have alike."""


@dataclass(frozen=True)
class Left:
    """What a run left."""

    history: tuple[dict[str, str], ...]
    """The rows of history.csv."""
    state: str
    """sha256 over every array of the newest state: weights, optimizer, moving averages, seeds."""
    best: str
    """The same of the best weights."""
    metrics: dict[str, Any] | None
    """Of bundle.json; None: there is none yet."""


def left(output: Path) -> Left:
    """Read what a run left in its folder."""
    with (output / "history.csv").open(newline="") as file:
        rows = [{name: row[name] for name in row if name not in CLOCK} for row in csv.DictReader(file)]
    bundle = output / "bundle.json"
    return Left(
        history=tuple(rows),
        state=digest(states(output)[0]),
        best=digest(output / "checkpoints/best.npz"),
        metrics=json.loads(bundle.read_text())["metrics"] if bundle.exists() else None,
    )


def states(output: Path) -> list[Path]:
    """The saved states of a run, newest first."""
    return sorted((output / "checkpoints").glob("state-*.npz"), reverse=True)


def progress(state: Path) -> dict[str, Any]:
    """How far a run was at a saved state."""
    with np.load(state) as arrays:
        return dict(json.loads(arrays["progress"].tobytes()))


def digest(checkpoint: Path) -> str:
    """sha256 over the names, types and bytes of a checkpoint's arrays; its progress has seconds.

    What its phase leaves as it is counts as well, where that has a file of its own.
    """
    frozen = checkpoint.with_name(f"frozen-{progress(checkpoint)['phase']}.npz")
    total = hashlib.sha256()
    for file in (frozen, checkpoint) if frozen.exists() else (checkpoint,):
        with np.load(file) as arrays:
            for name in sorted(set(arrays.files) - {"progress"}):
                total.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
                total.update(arrays[name].tobytes())
    return total.hexdigest()
