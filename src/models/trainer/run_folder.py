"""A run's own folder: whose it is, and how it looks on this machine while it is being filled.

`run.json` says which run a folder belongs to, so that the same command goes on and another one is refused.
What a run leaves besides the bundle: `checkpoints/`, `history.csv`, `logs/` (TensorBoard), `wandb/`.
"""

import csv
import io
import os
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from contracts import storage, vertex_environment
from contracts.documents import Document
from contracts.errors import InputError, StageError
from contracts.lock import locked
from models.trainer.checkpoints import Row

HISTORY = "history.csv"


class Run(Document):
    """`run.json`: what was asked for."""

    file_name: ClassVar[str] = "run.json"
    made_by: ClassVar[str] = "python -m models.<arch>.train_multi_gpu"

    id: str = Field(description="of this run alone; W&B's id as well")
    architecture: str
    index_digest: str = Field(description="sha256 of the data set's index.json")
    config: dict[str, Any]


def find_run(output: str, wanted: Run) -> Run:
    """Find the run that a folder belongs to; nothing is written.

    Returns:
        The folder's own if it was begun with the same settings on the same data, `wanted` if it is empty.

    Raises:
        InputError: the folder belongs to another run, or to something else.
    """
    there = Run.read_if_there(output)
    if there is None:
        _check_empty(output)
        return wanted
    if differences := list(_differences(there, wanted)):
        raise InputError(
            f"{output} was begun with {differences[0]}: give the same again to go on with it, or choose "
            "another --output (with make, another RUN_ID)"
        )
    return there


def new_run(name: str, architecture: str, index_digest: str, config: dict[str, Any]) -> Run:
    """Describe a run that begins now.

    Where W&B's agent started the process for a sweep, the run is there already, and its id is the agent's.
    """
    identity = f"{name}-{uuid.uuid4().hex[:8]}"
    if os.environ.get("WANDB_SWEEP_ID"):
        identity = os.environ.get("WANDB_RUN_ID") or identity
    return Run(id=identity, architecture=architecture, index_digest=index_digest, config=config)


def claim(output: str, run: Run) -> None:
    """Write `run.json`, unless it is there.

    Raises:
        StageError: another run was begun there in the meantime.
        ConflictError: the same, in this very moment.
    """
    there = Run.read_if_there(output)
    if there and there.id != run.id:
        raise StageError(f"another run was begun in {output} in the meantime: choose another --output")
    if there is None:
        storage.write_bytes(storage.join(output, Run.file_name), run.to_json(), if_generation_match=0)


@dataclass(frozen=True)
class RunFolder:
    """Where a run's files are made, and where they belong."""

    uri: str
    local: Path
    """The folder itself where it is local, else a temporary one that `publish` copies from."""

    @property
    def checkpoints(self) -> str:
        """Where the checkpoints are: a path or a URI; Vertex AI says where in AIP_CHECKPOINT_DIR."""
        return vertex_environment.checkpoint_folder() or storage.join(self.uri, "checkpoints")

    @property
    def logs(self) -> Path:
        """Where TensorBoard's files are written."""
        wanted = self._wanted_logs
        return self.local / "logs" if storage.is_remote(wanted) else Path(wanted)

    def fetch(self) -> None:
        """Bring what earlier processes of this run told of it, so that nothing is told twice."""
        _fetch(storage.join(self.uri, "wandb"), self.local / "wandb")
        if storage.is_remote(self._wanted_logs):
            _fetch(self._wanted_logs, self.logs)

    def publish(self, history: Sequence[Row]) -> None:
        """Write history.csv, and copy what changed to where it belongs."""
        storage.write_bytes(str(self.local / HISTORY), _as_csv(history))
        if storage.is_remote(self._wanted_logs):
            _copy(self.logs, self._wanted_logs)
        if storage.is_remote(self.uri):
            storage.upload(self.local / HISTORY, storage.join(self.uri, HISTORY))
            _copy(self.local / "wandb", storage.join(self.uri, "wandb"))

    @property
    def _wanted_logs(self) -> str:
        """Where TensorBoard's files belong; Vertex AI says where in AIP_TENSORBOARD_LOG_DIR."""
        return vertex_environment.log_folder() or storage.join(self.uri, "logs")


@contextmanager
def open_run_folder(uri: str) -> Iterator[RunFolder]:
    """Give the folder to work in; what isn't published from a remote one's stand-in is gone in the end.

    Raises:
        StageError: another process works in it.
    """
    if not storage.is_remote(uri):
        with locked(uri):
            yield RunFolder(uri, Path(uri))
        return
    with tempfile.TemporaryDirectory(prefix="chrysalis-run-", ignore_cleanup_errors=True) as folder:
        run_folder = RunFolder(uri, Path(folder))
        run_folder.fetch()
        yield run_folder


def _check_empty(output: str) -> None:
    try:
        names = [file.name for file in storage.list_files(output)]
    except storage.NotFoundError:
        return
    if names:
        raise InputError(
            f"{output} holds {names[0]} and isn't a training run's folder: choose another --output"
        )


def _differences(there: Run, wanted: Run) -> Iterator[str]:
    if there.architecture != wanted.architecture:
        yield f"{there.architecture}, not {wanted.architecture}"
    for key in wanted.config:
        if there.config.get(key) != wanted.config[key]:
            option = key.replace("_", "-")
            yield f"--{option} {there.config.get(key)}, not {wanted.config[key]}"
    if there.index_digest != wanted.index_digest:
        yield "other data"


def _as_csv(history: Sequence[Row]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(history[0]) if history else ["epoch"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue().encode()


def _copy(folder: Path, uri: str) -> None:
    if folder.is_dir():
        storage.upload_many(folder, [file.name for file in storage.list_files(str(folder))], uri)


def _fetch(uri: str, folder: Path) -> None:
    try:
        storage.download_many(uri, [file.name for file in storage.list_files(uri)], folder)
    except storage.NotFoundError:
        return
