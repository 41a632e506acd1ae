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
from rehearsal import job_acts, last_acts, model_acts
from rehearsal.network import ROOT
from rehearsal.scene import scene

REPORTS: Final = ROOT / "reports/rehearsal"
SUMMARY: Final = "summary.txt"

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def rehearse(
    report: Annotated[Path, typer.Option(help="Folder for the log and every request.")] = REPORTS,
) -> None:
    """Rehearse the cloud: a few minutes, a container engine, and no network."""
    started = time.monotonic()

    def announce(text: str) -> None:
        typer.echo(text)
        with (report / SUMMARY).open("a", encoding="utf-8") as summary:
            summary.write(f"{text}\n")

    with scene(report, announce) as play:
        os.environ["STORAGE_EMULATOR_HOST"] = play.containers.network.storage_here
        job_acts.data_stages(play)
        job_acts.training(play)
        job_acts.gate(play)
        another = job_acts.tuning(play)
        model_acts.deployment(play)
        model_acts.prediction(play)
        model_acts.canary(play, another)
        last_acts.pipeline(play)
        last_acts.secrecy(play)
        last_acts.chapter(play)
    announce(f"{time.monotonic() - started:6.1f} s  all of it; every request and line: {report}")


if __name__ == "__main__":
    run_app(app, "python -m rehearsal")
