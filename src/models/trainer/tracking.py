"""Who is told how a run goes: TensorBoard, and Weights & Biases (`models.trainer.wandb_run`).

A run may be killed at any moment and go on in another process, and the state with its history is saved before
anybody is told. So a tracker looks at what it was told by earlier processes: `begin` tells the epochs that it
missed, and an epoch that was told is not told again, though it may be computed again.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import tensorflow as tf

from contracts.errors import StageError
from models.trainer.checkpoints import Row


class Tracker(Protocol):
    """Something that shows a run."""

    def begin(self, history: Sequence[Row]) -> None:
        """The run goes on behind these epochs ([] at its start): those that weren't told are."""

    def epoch(self, row: Row) -> None:
        """An epoch is over: a row of the history."""

    def result(self, metrics: Mapping[str, float], labels: Sequence[int], predicted: Sequence[int]) -> None:
        """The test split was judged."""

    def bundle(self, uri: str) -> None:
        """The bundle is finished there."""

    def close(self, *, failed: bool) -> None:
        """The process is over with the run."""


class TensorBoard:
    """Event files in a folder: one a process, beside those of earlier processes."""

    def __init__(self, folder: Path) -> None:
        self._told = set(_told(folder))
        self._writer = tf.summary.create_file_writer(str(folder))

    def begin(self, history: Sequence[Row]) -> None:
        """Write the epochs that no earlier file holds whole."""
        for row in history:
            self.epoch(row)

    def epoch(self, row: Row) -> None:
        """Write each measure at the epoch's number."""
        self._write({name: value for name, value in row.items() if name != "epoch"}, int(row["epoch"]))

    def result(self, metrics: Mapping[str, float], labels: Any, predicted: Any) -> None:  # noqa: ARG002
        """Write each measure of the test split."""
        self._write({f"test_{name}": value for name, value in metrics.items()}, 0)

    def bundle(self, uri: str) -> None:
        """TensorBoard shows no bundles."""

    def close(self, *, failed: bool) -> None:  # noqa: ARG002
        """Write what is still held."""
        self._writer.close()

    def _write(self, values: Mapping[str, float], step: int) -> None:
        try:
            with self._writer.as_default(step):
                for name, value in values.items():
                    if (name, step) not in self._told:
                        tf.summary.scalar(name, value)
                        self._told.add((name, step))
            self._writer.flush()
        except tf.errors.OpError as error:
            raise StageError(
                f"TensorBoard's logs can't be written ({_reason(error)}): make room, and the "
                "same command goes on from the last saved state"
            ) from error


def _told(folder: Path) -> Iterator[tuple[str, int]]:
    """Give the tag and the step of each value in a folder's event files."""
    for path in sorted(folder.glob("*.tfevents.*")):
        for event in _events(path):
            for value in event.summary.value:
                yield value.tag, event.step


def _events(path: Path) -> Iterator[Any]:
    """Read a file up to where a process was killed while it wrote: TensorBoard reads as far."""
    try:
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            yield tf.compat.v1.Event.FromString(record)
    except tf.errors.DataLossError:
        return


def _reason(error: tf.errors.OpError) -> str:
    """What TensorFlow says, without the operation that says it."""
    return str(error.message).splitlines()[0].rpartition("}} ")[2]
