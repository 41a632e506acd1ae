"""Where a stage may write: into a folder, and never among what it reads."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from contracts import storage
from contracts.errors import InputError

_HEAD: Final = 512


def check_places(source: str, output: str, called: str = "--input") -> None:
    """Refuse an output that can't be a folder, or that is the input or lies in it.

    Args:
        source: what is read.
        output: where to write.
        called: what the source is called in the message.

    Raises:
        InputError: it is so.
    """
    if storage.is_remote(source) == storage.is_remote(output):
        way = storage.relative(_real(output), _real(source))
        if way == ".":
            raise InputError(f"--output {output} is the {called}: choose another folder")
        if way.split("/")[0] != ".." and not storage.is_remote(way):
            raise InputError(f"--output {output} lies in the {called} {source}: choose a folder beside it")
    if not storage.is_remote(output):
        path = Path(output).absolute()
        there = next(place for place in (path, *path.parents) if place.exists())
        if not there.is_dir():
            raise InputError(f"--output {output} can't be a folder: {there} is a file; choose another folder")


def check_ours(folder: str, marks: Mapping[str, bytes]) -> None:
    """Refuse a folder in which somebody else's files have the names of ours: they would be lost.

    Args:
        folder: where to write; it needn't be there.
        marks: for each of our files, a pattern of how one that we wrote begins.

    Raises:
        InputError: something is there that doesn't.
    """
    for name, mark in marks.items():
        uri = storage.join(folder, name)
        try:
            with storage.open_read(uri) as file:
                ours = re.match(mark, file.read(_HEAD), re.DOTALL) is not None
        except storage.NotFoundError:
            ours = storage.is_remote(uri) or not os.path.lexists(uri)
        if not ours:
            raise foreign(folder, name)


def document_mark(field: str) -> bytes:
    """How a document of ours begins, whose first field behind the version is `field`."""
    return rb'\{\s*"schema_version":\s*\d+,\s*"%b":' % field.encode()


def foreign(folder: str, name: str) -> InputError:
    """The error that something in an output folder isn't ours."""
    return InputError(f"--output {folder} holds a {name} that this stage didn't write: choose another folder")


def _real(uri: str) -> str:
    return uri if storage.is_remote(uri) else os.path.realpath(uri)
