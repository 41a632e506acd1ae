"""Where Optuna keeps a study: a journal in the study's folder, one line for each thing that happened.

Only one process at a time works on a study, so what another left behind is of one that was killed.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from contracts.errors import InputError

if TYPE_CHECKING:
    import optuna

JOURNAL: Final = "journal.log"
_WANTED: Final = "wanted"
_BEGINNING: Final = b'{"op_code":'
"""Of every line that Optuna writes."""


def check_journal(content: bytes, uri: str) -> None:
    """Refuse a file that isn't a journal, or that can't be read; a last line that isn't whole is no harm.

    Args:
        content: of the file.
        uri: where it is, for the message.

    Raises:
        InputError: it is somebody else's, or damaged.
    """
    if content and not content.startswith(_BEGINNING):
        raise InputError(f"{uri} isn't the journal of a study: choose another --output")
    *lines, _ = content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not _is_entry(line):
            raise InputError(f"{uri} is damaged (line {number}): restore it, or choose another --output")


def _is_entry(line: bytes) -> bool:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and isinstance(said.get("op_code"), int) and "worker_id" in said


def open_study(folder: Path, name: str, goal: str, wanted: Mapping[str, Any]) -> "optuna.Study":
    """Begin a study, or go on with the one that is there.

    Args:
        folder: a local one.
        name: the study's, if it is begun; one that is there keeps its own, whatever its folder is called.
        goal: MAXIMIZE or MINIMIZE.
        wanted: what must be the same to go on, as JSON can hold it.

    Raises:
        InputError: the folder's study was begun with something else, or its journal is damaged.
    """
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / JOURNAL
    _mend(path)
    with _replayed(path):
        storage = optuna.storages.JournalStorage(JournalFileBackend(str(path)))
    names = [study.study_name for study in storage.get_all_studies()]
    study = optuna.create_study(
        storage=storage,
        study_name=name if name in names or not names else names[0],
        direction=goal.lower(),  # type: ignore[arg-type]
        load_if_exists=True,
    )
    settled = json.loads(json.dumps(wanted))
    there = study.user_attrs.get(_WANTED)
    if there is None:
        study.set_user_attr(_WANTED, settled)
    elif different := [key for key in settled if there.get(key) != settled[key]]:
        raise InputError(
            f"the study in {folder} was begun with another {different[0]}: give the same again to go on with "
            "it, or choose another --output"
        )
    return study


@contextmanager
def _replayed(path: Path) -> Iterator[None]:
    """Say what is wrong where the lines are whole, but not one of each that there was."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, AssertionError) as error:
        raise InputError(
            f"{path} is damaged ({type(error).__name__}: {error}): restore it, or choose another --output"
        ) from None


def _mend(path: Path) -> None:
    """Drop the line that a killed process didn't finish, and its lock: Optuna stops at either."""
    path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as file:
            file.truncate(whole)
