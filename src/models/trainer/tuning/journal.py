"""Where Optuna keeps a study: a journal in the study's folder, one line for each thing that happened.

Only one process at a time works on a study, so what another left behind is of one that was killed.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from contracts.errors import InputError

if TYPE_CHECKING:
    import optuna

JOURNAL: Final = "journal.log"
_WANTED: Final = "wanted"


def open_study(folder: Path, name: str, goal: str, wanted: Mapping[str, Any]) -> "optuna.Study":
    """Begin a study, or go on with the one that is there.

    Args:
        folder: a local one.
        name: the study's.
        goal: MAXIMIZE or MINIMIZE.
        wanted: what must be the same to go on, as JSON can hold it.

    Raises:
        InputError: the folder's study was begun with something else.
    """
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / JOURNAL
    _mend(path)
    study = optuna.create_study(
        storage=optuna.storages.JournalStorage(JournalFileBackend(str(path))),
        study_name=name,
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
