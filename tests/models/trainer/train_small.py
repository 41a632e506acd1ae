"""Train the small network in a process of its own, as a command does: tests kill it, and start several.

Arguments: a processed data set, the run's folder, and settings as JSON.
"""

import json
import sys

import typer
from conftest import train_small

from contracts.console import run_app

app = typer.Typer(add_completion=False)


@app.command()
def train_small_cli(data: str, output: str, settings: str) -> None:
    train_small(data, output, **json.loads(settings))


if __name__ == "__main__":
    run_app(app, sys.argv[0])
