"""Whole states of a run as single files: the newest `state-<step>.npz`, and `best.npz` with the best weights.

A file appears under its name whole or not at all, so a run can be killed at any moment and goes on from the
newest one that can be read. An .npz holds `network/0000…` and `optimizer/0000…` (the variables in their
order; the optimizer's include the weights' moving average) and `progress` (JSON). What a phase leaves as it
is, such as a frozen base, is written once: `frozen-<phase>.npz`. Behind the zip stand four bytes, the crc32c
of all before: the zip's own checksums leave its directory unprotected, where a flipped bit can make arrays
disappear.
"""

import base64
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
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


def score(row: Mapping[str, float]) -> tuple[float, float]:
    """What makes an epoch the best, higher is better: the validation split's accuracy, then its loss."""
    return row["val_accuracy"], -row["val_loss"]


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
    """A state, or the best network."""

    progress: Progress
    network: Sequence[NDArray[Any]]
    optimizer: Sequence[NDArray[Any]]


class Arrays(NamedTuple):
    """What a file holds by name; for the network, not always all of it."""

    progress: Progress
    arrays: Mapping[str, NDArray[Any]]


class Checkpoints:
    """The checkpoints of a run in a folder: a path or gs://bucket/prefix."""

    def __init__(self, uri: str, run: str, keep: int = 2) -> None:
        self._uri, self._run, self._keep = uri, run, keep
        self._frozen_phase: int | None = None
        """Whose frozen weights are known to be there."""

    def save_state(self, progress: Progress, network: Any, optimizer: Any) -> None:
        """Write where the run is, and remove the oldest states if there are more than are kept.

        States further than this one are removed as well: they were damaged or another run's, so
        the run didn't go on from them, and they would stand before its own for ever.

        Raises:
            StageError: there is no room for it. The states before it stay.
        """
        written = f"state-{progress.steps:09d}.npz"
        self._save(written, progress, network, _arrays("optimizer", optimizer.variables))
        states = self._states()
        first = states.index(written)
        for name in (*states[:first], *states[first + self._keep :]):
            storage.delete(storage.join(self._uri, name))

    def save_best(self, progress: Progress, network: Any) -> None:
        """Write the network in place of the best one before.

        Raises:
            StageError: there is no room for it. The one before stays.
        """
        self._save(BEST, progress, network)

    def load_state(self) -> Checkpoint | None:
        """Read the newest state of the run that can be used; None where there is none.

        Raises:
            StageError: there are states, and none can be used.
        """
        damage = None
        for name in self._states():
            try:
                checkpoint = self._load(name)
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
        checkpoint = self._load(BEST) if storage.exists(storage.join(self._uri, BEST)) else None
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

    def _save(
        self, name: str, progress: Progress, network: Any, optimizer: Mapping[str, NDArray[Any]] | None = None
    ) -> None:
        fixed = {
            id(variable) for layer in network.layers if not layer.trainable for variable in layer.weights
        }
        arrays = _arrays("network", network.variables)
        frozen = {
            key: arrays.pop(key)
            for key, variable in zip(tuple(arrays), network.variables, strict=True)
            if id(variable) in fixed
        }
        if frozen and self._frozen_phase != progress.phase:
            self._save_frozen(progress, frozen)
        self._write(name, progress, {**arrays, **(optimizer or {})})

    def _save_frozen(self, progress: Progress, frozen: Mapping[str, NDArray[Any]]) -> None:
        """Write what a phase leaves as it is, unless an earlier process did."""
        name = _frozen(progress)
        with suppress(StageError):
            there = self._read(name)
            if there.progress.run == self._run and there.arrays.keys() == frozen.keys():
                self._frozen_phase = progress.phase
                return
        self._write(name, progress, frozen)
        self._frozen_phase = progress.phase

    def _write(self, name: str, progress: Progress, arrays: Mapping[str, NDArray[Any]]) -> None:
        told = np.frombuffer(progress.model_dump_json().encode(), np.uint8)
        uri = storage.join(self._uri, name)
        try:
            with storage.writing(uri) as path:
                with path.open("wb") as file:
                    np.savez(file, allow_pickle=False, progress=told, **arrays)
                _seal(path)
        except OSError as error:
            raise StageError(
                f"{uri} can't be written ({error.strerror or error}): make room, and the same command goes "
                "on from the state that was saved before"
            ) from error

    def _load(self, name: str) -> Checkpoint:
        """Read a state, or the best network, with what its phase left as it was."""
        progress, arrays = self._read(name)
        names = [key for key in arrays if key.startswith("network/")]
        if len(names) <= int(max(names).removeprefix("network/")) and progress.run == self._run:
            arrays = {**self._read(_frozen(progress)).arrays, **arrays}
        network, optimizer = (
            [arrays[key] for key in sorted(arrays) if key.startswith(kind)]
            for kind in ("network/", "optimizer/")
        )
        return Checkpoint(progress, network, optimizer)

    def _read(self, name: str) -> Arrays:
        uri = storage.join(self._uri, name)
        if not storage.exists(uri):
            raise _unusable(uri, "gone")
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


def _arrays(kind: str, variables: Iterable[Any]) -> dict[str, NDArray[Any]]:
    return {f"{kind}/{number:04d}": np.asarray(variable.numpy()) for number, variable in enumerate(variables)}


def _frozen(progress: Progress) -> str:
    return f"frozen-{progress.phase}.npz"


def _seal(path: Path) -> None:
    with path.open("ab") as file:
        file.write(base64.b64decode(storage.checksum(path))[::-1])


def _read(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return Arrays(Progress.model_validate_json(arrays.pop("progress").tobytes()), arrays)
