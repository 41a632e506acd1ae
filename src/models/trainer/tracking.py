"""Who is told how a run goes: TensorBoard, and Weights & Biases (`models.trainer.wandb_run`)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import tensorflow as tf

from models.trainer.checkpoints import Row


class Tracker(Protocol):
    """Something that shows a run."""

    def epoch(self, row: Row) -> None:
        """An epoch is over: a row of the history."""

    def result(self, metrics: Mapping[str, float], labels: Sequence[int], predicted: Sequence[int]) -> None:
        """The test split was judged."""

    def bundle(self, uri: str) -> None:
        """The bundle is finished there."""

    def close(self, *, failed: bool) -> None:
        """The process is over with the run."""


class TensorBoard:
    """Event files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._writer = tf.summary.create_file_writer(str(folder))

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
        with self._writer.as_default(step):
            for name, value in values.items():
                tf.summary.scalar(name, value)
        self._writer.flush()
