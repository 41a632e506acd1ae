"""Whole states of a run as single files: the newest `state-<step>.npz`, and `best.npz` with the best weights.

A file appears under its name whole or not at all, so a run can be killed at any moment and goes on from the
newest one that can be read. An .npz holds `network/000…` and `optimizer/000…` (the variables in their order;
the optimizer's include the weights' moving average) and `progress` (JSON). Behind the zip stand four bytes,
the crc32c of all before: the zip's own checksums leave its directory unprotected, where a flipped bit can
make arrays disappear.
"""

import base64
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from contracts import storage
from contracts.console import log
from contracts.errors import StageError

BEST = "best.npz"

Row = dict[str, int | float]
"""A line of history.csv; whole numbers stay whole through a checkpoint."""

_SEALED = "SGdLxw=="
"""The crc32c of any file that ends in the crc32c of what comes before."""


class Progress(BaseModel):
    """How far a run is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str = Field(description="the id of the run that this belongs to")
    phase: int = Field(default=0, description="from 0")
    epoch: int = Field(default=0, description="finished epochs of that phase")
    step: int = Field(default=0, description="batches done of the epoch that is under way")
    steps: int = Field(default=0, description="batches done in all phases")
    totals: tuple[float, ...] = Field(default=(), description="the sums over the epoch that is under way")
    seconds: float = Field(default=0.0, description="spent on it")
    cpu_seconds: float = 0.0
    best: Row | None = Field(default=None, description="the history's row of best.npz")
    history: tuple[Row, ...] = ()


class Checkpoint(NamedTuple):
    """What a file holds."""

    progress: Progress
    network: Sequence[NDArray[Any]]
    optimizer: Sequence[NDArray[Any]]


class Checkpoints:
    """The checkpoints of a run in a folder: a path or gs://bucket/prefix."""

    def __init__(self, uri: str, run: str, keep: int = 2) -> None:
        self._uri, self._run, self._keep = uri, run, keep

    def save_state(self, progress: Progress, network: Any, optimizer: Any) -> None:
        """Write where the run is, and remove the oldest states if there are more than are kept.

        States further than this one are removed as well: they were damaged or another run's, so
        the run didn't go on from them, and they would stand before its own for ever.

        Raises:
            StageError: there is no room for it. The states before it stay.
        """
        written = f"state-{progress.steps:09d}.npz"
        self._write(written, progress, network, optimizer)
        states = self._states()
        first = states.index(written)
        for name in (*states[:first], *states[first + self._keep :]):
            storage.delete(storage.join(self._uri, name))

    def save_best(self, progress: Progress, network: Any) -> None:
        """Write the network in place of the best one before.

        Raises:
            StageError: there is no room for it. The one before stays.
        """
        self._write(BEST, progress, network)

    def load_state(self) -> Checkpoint | None:
        """Read the newest state of the run that can be used; None where there is none.

        Raises:
            StageError: there are states, and none can be used.
        """
        damage = None
        for name in self._states():
            try:
                checkpoint = self._read(name)
            except StageError as error:
                damage = error
                log("falling back to the state before", why=str(error))
                continue
            if checkpoint.progress.run == self._run:
                return checkpoint
        if damage:
            raise damage
        return None

    def load_best(self) -> Checkpoint:
        """Read the best weights.

        Raises:
            StageError: they are gone, or can't be used.
        """
        checkpoint = self._read(BEST) if storage.exists(storage.join(self._uri, BEST)) else None
        if checkpoint is None or checkpoint.progress.run != self._run:
            raise StageError("the checkpoint of the best epoch is gone: choose another --output")
        return checkpoint

    def _states(self) -> list[str]:
        """The names of the states, newest first."""
        try:
            names = [file.name for file in storage.list_files(self._uri)]
        except storage.NotFoundError:
            return []
        return sorted((name for name in names if name.startswith("state-")), reverse=True)

    def _write(self, name: str, progress: Progress, network: Any, optimizer: Any = None) -> None:
        arrays = {f"network/{i:04d}": value for i, value in enumerate(_values(network))}
        if optimizer is not None:
            arrays |= {f"optimizer/{i:04d}": value for i, value in enumerate(_values(optimizer))}
        arrays["progress"] = np.frombuffer(progress.model_dump_json().encode(), np.uint8)
        uri = storage.join(self._uri, name)
        try:
            with storage.writing(uri) as path:
                with path.open("wb") as file:
                    np.savez(file, allow_pickle=False, **arrays)
                _seal(path)
        except OSError as error:
            raise StageError(
                f"{uri} can't be written ({error.strerror or error}): make room, and the same command goes "
                "on from the state that was saved before"
            ) from error

    def _read(self, name: str) -> Checkpoint:
        uri = storage.join(self._uri, name)
        with tempfile.TemporaryDirectory(prefix="chrysalis-checkpoint-") as folder:
            path = Path(uri)
            if storage.is_remote(uri):
                path = Path(folder, name)
                storage.download(uri, path)
            if storage.checksum(path) != _SEALED:
                raise _unusable(uri, "damaged: its crc32c is wrong")
            try:
                return _read(path)
            except (KeyError, ValueError) as error:
                raise _unusable(uri, "of another version") from error


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


def _unusable(uri: str, why: str) -> StageError:
    return StageError(
        f"the checkpoint {uri} can't be used ({why}): choose another --output, or delete the folder's "
        "state-*.npz and best.npz, and the same command begins this run anew"
    )


def _values(source: Any) -> list[NDArray[Any]]:
    return [np.asarray(variable.numpy()) for variable in source.variables]


def _seal(path: Path) -> None:
    with path.open("ab") as file:
        file.write(base64.b64decode(storage.checksum(path))[::-1])


def _read(path: Path) -> Checkpoint:
    with np.load(path, allow_pickle=False) as arrays:
        names = sorted(arrays.files)
        return Checkpoint(
            Progress.model_validate_json(arrays["progress"].tobytes()),
            [arrays[name] for name in names if name.startswith("network/")],
            [arrays[name] for name in names if name.startswith("optimizer/")],
        )
