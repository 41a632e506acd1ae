"""The command-line options that stages share, so that they read the same everywhere."""

import os
from pathlib import Path
from typing import Annotated

import typer

from contracts import storage, vertex_environment
from contracts.errors import InputError

_INPUT = typer.Option(
    "--input",
    callback=lambda uri: uri and storage.canonical(uri),
    help="Folder to read: a path or gs://bucket/prefix.",
)
Input = Annotated[str, _INPUT]
OptionalInput = Annotated[str | None, _INPUT]

Output = Annotated[
    str,
    typer.Option(
        "--output",
        envvar=vertex_environment.MODEL_FOLDER,
        callback=storage.canonical,
        help="Folder to fill: a path or gs://bucket/prefix. On Vertex AI, AIP_MODEL_DIR stands in for it.",
    ),
]

Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Processes; by default one a core.")]


def check_fillable(output: str, option: str = "--output") -> None:
    """Refuse a local path that can't be made a folder, before work is done for it.

    Args:
        output: a path or gs://bucket/prefix.
        option: how it was given, for the message.

    Raises:
        InputError: it is a file, lies in one, or may not be written.
    """
    if storage.is_remote(output):
        return
    path = Path(output)
    nearest = next(place for place in (path, *path.absolute().parents) if place.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise InputError(
            f"{option} {output} can't be filled: expected a folder that may be written, and {nearest} is none"
        )
