"""Where a stage may write: into a folder, and never among what it reads."""

from pathlib import Path

from contracts import storage
from contracts.errors import InputError


def check_places(source: str, output: str) -> None:
    """Refuse an output that can't be a folder, or that is the input or lies in it.

    Raises:
        InputError: it is so.
    """
    storage.check_apart(source, output)
    if storage.is_remote(source) == storage.is_remote(output):
        way = storage.relative(output, source)
        if way.split("/")[0] != ".." and not storage.is_remote(way):
            raise InputError(f"--output {output} lies in the --input {source}: choose a folder beside it")
    if not storage.is_remote(output):
        path = Path(output).absolute()
        there = next(place for place in (path, *path.parents) if place.exists())
        if not there.is_dir():
            raise InputError(f"--output {output} can't be a folder: {there} is a file; choose another folder")
