"""Whole states of a run as single files: `last.npz` after every epoch, `best.npz` with the best weights.

A file appears under its name whole or not at all, so a run can be killed at any moment and goes on from the
last epoch that it finished. An .npz holds `network/000…` and `optimizer/000…` (the variables in their order)
and `progress` (JSON).
"""

import struct
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from contracts import storage
from contracts.errors import StageError

Name = Literal["last", "best"]
Row = dict[str, int | float]
"""A line of history.csv; whole numbers stay whole through a checkpoint."""

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    KeyError,
    ValueError,  # no JSON, other fields, no array
    RuntimeError,  # flags of zip that nothing here sets
)


class Progress(BaseModel):
    """How far a run is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str = Field(description="the id of the run that this belongs to")
    phase: int = Field(default=0, description="from 0")
    epoch: int = Field(default=0, description="finished epochs of that phase")
    best: Row | None = Field(default=None, description="the history's row of best.npz")
    history: tuple[Row, ...] = ()


class Checkpoint(NamedTuple):
    """What a file holds."""

    progress: Progress
    network: Sequence[NDArray[Any]]
    optimizer: Sequence[NDArray[Any]]


class Checkpoints:
    """The checkpoints of a run in a folder: a path or gs://bucket/prefix."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def save(self, name: Name, progress: Progress, network: Any, optimizer: Any = None) -> None:
        """Write a checkpoint in place of the one before.

        Args:
            name: which.
            progress: how far the run is.
            network: its variables are kept.
            optimizer: the same; None: none are.
        """
        arrays = {f"network/{i:03d}": value for i, value in enumerate(_values(network))}
        if optimizer is not None:
            arrays |= {f"optimizer/{i:03d}": value for i, value in enumerate(_values(optimizer))}
        arrays["progress"] = np.frombuffer(progress.model_dump_json().encode(), np.uint8)
        with storage.writing(self._of(name)) as path, path.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    def load(self, name: Name, run: str) -> Checkpoint | None:
        """Read a checkpoint of the run; None where there is none, or it is another run's.

        Raises:
            StageError: the file is damaged.
        """
        uri = self._of(name)
        if not storage.exists(uri):
            return None
        with tempfile.TemporaryDirectory(prefix="chrysalis-checkpoint-") as folder:
            path = Path(uri)
            if storage.is_remote(uri):
                path = Path(folder, "checkpoint.npz")
                storage.download(uri, path)
            try:
                checkpoint = _read(path)
            except _DAMAGE as error:
                raise StageError(
                    f"the checkpoint {uri} is damaged ({type(error).__name__}): delete last.npz and best.npz "
                    "there, and the same command begins this run anew"
                ) from error
        return checkpoint if checkpoint.progress.run == run else None

    def _of(self, name: Name) -> str:
        return storage.join(self._uri, f"{name}.npz")


def restore(target: Any, values: Sequence[NDArray[Any]]) -> None:
    """Give a network or an optimizer the values of a checkpoint.

    Raises:
        StageError: they are another one's.
    """
    variables = target.variables
    if [tuple(variable.shape) for variable in variables] != [value.shape for value in values]:
        raise StageError("the checkpoint is of another network: choose another --output, or delete it")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _values(source: Any) -> list[NDArray[Any]]:
    return [np.asarray(variable.numpy()) for variable in source.variables]


def _read(path: Path) -> Checkpoint:
    # Opened here, since NumPy leaves a damaged file open.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        names = sorted(arrays.files)
        return Checkpoint(
            Progress.model_validate_json(arrays["progress"].tobytes()),
            [arrays[name] for name in names if name.startswith("network/")],
            [arrays[name] for name in names if name.startswith("optimizer/")],
        )
