"""The folder through which Beam's workers hand their results to the process that started them.

No runner but the local one hands results back. So every task leaves its own as `<name>.json` in a folder that
the workers and this process both see (a bucket, or a mount that all share); it is empty again in the end. The
first task that fails leaves `failure.json`, and those that haven't begun are skipped.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from contracts import storage
from contracts.dataset import Shard
from contracts.documents import Document
from contracts.errors import InputError, StageError


class Failure(Document):
    """`failure.json`: why a task couldn't be done."""

    file_name: ClassVar[str] = "failure.json"
    made_by: ClassVar[str] = "python -m datapipeline.records.build_records"

    kind: Literal["input", "stage"]
    message: str


def leave(folder: str, name: str, shard: Shard) -> None:
    """File a task's result."""
    storage.write_bytes(storage.join(folder, f"{name}.json"), shard.model_dump_json().encode())


def leave_failure(folder: str, error: Exception) -> None:
    """File why there is none."""
    kind: Literal["input", "stage"] = "input" if isinstance(error, InputError) else "stage"
    Failure(kind=kind, message=str(error) or type(error).__name__).write(folder)


def has_failed(folder: str) -> bool:
    """Whether any task has left a failure."""
    return storage.exists(storage.join(folder, Failure.file_name))


class Inbox:
    """The folder where the workers leave their results."""

    def __init__(self, folder: str, names: Sequence[str]) -> None:
        self._folder = folder
        self._names = {f"{name}.json" for name in names}
        self._waiting = set(self._names)

    def new(self) -> Iterator[Shard]:
        """Yield what came since the last time, and raise what a task couldn't do."""
        there = self._there()
        if Failure.file_name in there:
            failure = Failure.read(self._folder)
            raise (InputError if failure.kind == "input" else StageError)(failure.message)
        for name in sorted(there & self._waiting):
            self._waiting.remove(name)
            yield Shard.model_validate_json(storage.read_bytes(storage.join(self._folder, name)))

    def check_complete(self) -> None:
        """See that every task left a result."""
        if self._waiting:
            raise StageError(
                f"Beam is done, but {len(self._waiting)} of {len(self._names)} tasks left no result in "
                f"{self._folder}: is that a folder that every worker sees (gs://… or a shared mount)?"
            )

    def clear(self) -> None:
        """Remove all results, of an earlier run that was killed too."""
        for name in sorted(self._there() & {*self._names, Failure.file_name}):
            storage.delete(storage.join(self._folder, name))
        if not storage.is_remote(self._folder):
            with contextlib.suppress(OSError):  # it isn't there, or holds what isn't ours
                Path(self._folder).rmdir()

    def _there(self) -> set[str]:
        try:
            return {file.name for file in storage.list_files(self._folder)}
        except storage.NotFoundError:
            return set()
