"""What the tests let Beam's workers do; run as a program, a task that takes a minute."""

import os
import sys
import time
from pathlib import Path

import typer

from contracts.console import run_app
from contracts.dataset import Shard
from contracts.errors import InputError, StageError
from datapipeline.records.beam_runner import run

app = typer.Typer()


def make(images: int, task: str) -> Shard:
    """Make a shard's document, whose bytes are the process that it was made in; some tasks are special."""
    match task:
        case "absent":
            raise InputError("absent isn't there: run process again")
        case "full":
            raise StageError("the disk is full")
        case "broken":
            raise ZeroDivisionError("of our own making")
        case _ if "/" in task:  # to be made once it is under way
            Path(task).touch()
            time.sleep(60)
    return Shard(name=task, examples=images, bytes=os.getpid(), crc32c="AAAAAA==", class_histogram=(images,))


@app.command(context_settings={"ignore_unknown_options": True})
def slow_cli(started: str, results: str, runner: str, options: list[str] = typer.Argument(None)) -> None:  # noqa: B008
    """Do a task that takes a minute, and makes a file when it has started."""
    from beam_tasks import make  # by the name that its workers know it by

    list(
        run(make, 3, [started], name=lambda _: "slow", results=results, runner=runner, options=options or [])
    )


if __name__ == "__main__":
    run_app(app, sys.argv[0])
