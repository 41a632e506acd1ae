"""Puts pages into a folder that may hold others': replaces what an earlier call wrote, removes what is gone.

`reports.json` lists what was written. Files that it doesn't list are left alone.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field, field_validator

from contracts import storage
from contracts.documents import Document
from contracts.errors import InputError
from contracts.options import check_fillable

INDEX = "index.html"


class Reports(Document):
    """`reports.json`: what the folder holds by us."""

    file_name: ClassVar[str] = "reports.json"
    made_by: ClassVar[str] = "make report"

    files: tuple[str, ...] = Field(description="relative to the folder, sorted")

    @field_validator("files")
    @classmethod
    def _check_within(cls, files: tuple[str, ...]) -> tuple[str, ...]:
        if outside := [name for name in files if name.startswith("/") or ".." in name.split("/")]:
            raise ValueError(f"expected names within the folder, got {outside[0]}")
        return files


def publish(folder: Path, names: Sequence[str], output: str) -> int:
    """Move the named files of a local folder to `output`; returns how many older ones were removed.

    A call that is interrupted leaves nothing that the next one doesn't know of.

    Raises:
        InputError: the folder can't be written, or holds somebody else's index.
    """
    check_fillable(output)
    before = Reports.read(output) if storage.exists(storage.join(output, Reports.file_name)) else None
    if before is None and storage.exists(storage.join(output, INDEX)):
        raise InputError(f"--output {output} holds an {INDEX} that isn't ours: name another folder")
    gone = sorted(set(before.files if before else ()) - set(names))
    Reports(files=tuple(sorted({*names, *gone}))).write(output)
    storage.upload_many(folder, [name for name in names if name != INDEX], output)
    storage.upload(folder / INDEX, storage.join(output, INDEX))
    for name in gone:
        storage.delete(storage.join(output, name))
        if not storage.is_remote(output):
            _remove_empty(Path(output, name).parent, Path(output))
    Reports(files=tuple(sorted(names))).write(output)
    return len(gone)


def _remove_empty(folder: Path, above: Path) -> None:
    while folder != above and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
