"""The data sets that have a name: `data/sources/<name>.toml` says where each lies and what it must hold."""

import difflib
import tomllib
from pathlib import Path

from pydantic import Field, PositiveInt, ValidationError

from contracts.documents import Part
from contracts.errors import InputError

FOLDER = Path(__file__).parents[3] / "data/sources"
"""The repository's own; an image holds it in the same place."""


class Entry(Part):
    """What the catalogue states of one data set."""

    description: str
    url: str = Field(description="http(s), or a file beside the entry's own")
    bytes: PositiveInt
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    licence: str
    citation: str


def names(folder: Path) -> list[str]:
    """The names in the catalogue, sorted.

    Raises:
        InputError: there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"there is no catalogue {folder}: name a folder of *.toml with --catalogue")
    return sorted(path.stem for path in folder.glob("*.toml"))


def read(name: str, folder: Path) -> Entry:
    """Read an entry.

    Raises:
        InputError: it isn't valid.
    """
    path = folder / f"{name}.toml"
    try:
        return Entry.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path} isn't a catalogue entry: {where}: {first['msg']}") from None
    except (ValueError, RecursionError) as error:  # of TOML, of its text, or of a number
        raise InputError(f"{path} isn't TOML: {error}") from None


def unknown(name: str, folder: Path) -> InputError:
    """The error for what is neither in the catalogue nor anywhere else."""
    known = names(folder)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return InputError(
        f"{name} is no file or folder, and not in the catalogue: {hint}there are {', '.join(known)}; "
        "else name a path, an http(s) address or gs://bucket/name"
    )
