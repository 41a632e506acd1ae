"""`make rehearse`: everything that goes to the cloud, on this machine.

The commands of README's cloud chapter, run as a user runs them, send their requests to a Vertex AI on
loopback; what those requests name is built here and run in containers, on a network with an emulated bucket.
"""

import os
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from contracts.console import run_app
from rehearsal.network import ROOT
from rehearsal.play import perform
from rehearsal.scene import scene

REPORTS: Final = ROOT / "reports/rehearsal"

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def rehearse(
    report: Annotated[Path, typer.Option(help="Folder for the log and every request.")] = REPORTS,
) -> None:
    """Rehearse the cloud: a few minutes, a container engine, and no network."""
    started = time.monotonic()
    with scene(report, typer.echo) as play:
        os.environ["STORAGE_EMULATOR_HOST"] = play.containers.network.storage_here
        perform(play)
    typer.echo(f"{time.monotonic() - started:6.1f} s  all of it; every request and line: {report}")


if __name__ == "__main__":
    run_app(app, "python -m rehearsal")
