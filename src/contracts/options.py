"""The command-line options that stages share, so that they read the same everywhere."""

from typing import Annotated

import typer

Input = Annotated[str, typer.Option("--input", help="Folder to read: a path or gs://bucket/prefix.")]

Output = Annotated[
    str,
    typer.Option(
        "--output",
        envvar="AIP_MODEL_DIR",
        help="Folder to fill: a path or gs://bucket/prefix. On Vertex AI, AIP_MODEL_DIR stands in for it.",
    ),
]

Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Processes; by default one a core.")]
