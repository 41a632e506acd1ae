"""A study's folder: the journal, the trials' output and folders, and at its end study.json and study.html."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contracts import storage
from contracts.errors import InputError
from contracts.lock import locked
from models.trainer.tuning.journal import JOURNAL, check_journal
from models.trainer.tuning.record import Study

LOGS: Final = "logs"
"""The folder of the trials' output."""


@dataclass(frozen=True)
class StudyFolder:
    """Where a study is, and where this machine works on it."""

    uri: str
    local: Path
    """The folder itself where it is local, else a temporary one that `publish` copies from."""

    def log(self, trial: str) -> Path:
        """The file of a trial's output, on this machine."""
        return self.local / LOGS / f"{trial}.log"

    def fetch(self) -> None:
        """Bring what earlier processes left, where the folder is in a bucket."""
        if storage.is_remote(self.uri) and storage.exists(storage.join(self.uri, JOURNAL)):
            storage.download(storage.join(self.uri, JOURNAL), self.local / JOURNAL)

    def publish(self) -> None:
        """Copy the journal and the trials' output to where they belong."""
        if storage.is_remote(self.uri):
            storage.upload(self.local / JOURNAL, storage.join(self.uri, JOURNAL))
            logs = sorted(path.name for path in (self.local / LOGS).glob("*.log"))
            storage.upload_many(self.local / LOGS, logs, storage.join(self.uri, LOGS))


@contextmanager
def open_study_folder(uri: str) -> Iterator[StudyFolder]:
    """Give the folder to work in.

    Raises:
        InputError: it holds something that is no study, or one whose journal is damaged.
        StageError: another process works in it.
    """
    _check_ours(uri)
    if not storage.is_remote(uri):
        with locked(uri):
            yield StudyFolder(uri, Path(uri))
        return
    with tempfile.TemporaryDirectory(prefix="chrysalis-study-") as local:
        folder = StudyFolder(uri, Path(local))
        folder.fetch()
        yield folder


def _check_ours(uri: str) -> None:
    if not storage.is_remote(uri) and Path(uri).exists() and not Path(uri).is_dir():
        raise InputError(f"--output {uri} is a file: expected a folder for the study")
    journal = storage.join(uri, JOURNAL)
    if storage.exists(journal):
        check_journal(storage.read_bytes(journal), journal)
        return
    if storage.exists(storage.join(uri, Study.file_name)):
        return
    try:
        names = [file.name for file in storage.iter_files(uri)]
    except storage.NotFoundError:
        return
    if names:
        raise InputError(f"{uri} holds {min(names)} and isn't a study's folder: choose another --output")
