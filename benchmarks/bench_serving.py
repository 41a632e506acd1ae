"""`make bench-serving`: the server measured against its peers and limits; reports/benchmarks/serving.md.

Every figure is of this run, on this machine. The photo comes from a zip that is named; one is made up where
none is. Linux only: servers are held still while another one is measured.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from benchmarks import machine, serving_cases
from benchmarks.commands import ROOT
from benchmarks.measuring import MeasuringError
from benchmarks.report import Section, targets_table
from benchmarks.rounds import WrongOutputError
from benchmarks.serving_contenders import CORES, PEERS

REPORT: Final = ROOT / "reports/benchmarks/serving.md"
PACKAGES: Final = ("ai-edge-litert", "starlette", "uvicorn", "pillow", "numpy")
PEERS_PACKAGES: Final = ("litserve", "bentoml", "fastapi", "flask", "gunicorn", "uvicorn", "tensorflow-cpu")
VERSIONS: Final = """
import importlib.metadata, sys
print(" · ".join(f"{name} {importlib.metadata.version(name)}" for name in sys.argv[1:]))
"""

HOW: Final = """\
`make bench-serving` wrote this: every figure of one run on one machine, {rounds} rounds, whose order
rotates; medians, and every round beside them. Ratios travel; absolute figures don't. All asked the same
photo of {kilobytes:.0f} KB, as a form with one file, and gave the same probabilities: of VGG16 with 5
classes at 224x224 and random weights. Everybody has {cores} cores, and shares them with the load."""
WHO: Final = """\
The peers' servers are in benchmarks/serving_peers, with their versions in its Pipfile.lock: written as their
own documentation does, with the same decoding in Pillow and, where they run LiteRT, the very file of ours."""


class Case(StrEnum):
    """What can be measured alone."""

    CEILING = "ceiling"
    STARTS = "starts"
    LOAD = "load"
    SETTINGS = "settings"
    COST = "cost"


def main(
    only: Annotated[
        list[Case] | None, typer.Option(help="Measure this alone and write no report; repeatable.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="The report wants 5 or more.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.5, help="Of load on each server in each round.")] = 5,
    photos: Annotated[Path | None, typer.Option(help="A zip of photos in class folders.")] = None,
    models: Annotated[
        Path | None, typer.Option(help="A folder for the models that are served, which stay there.")
    ] = None,
) -> None:
    """Measure the server; without --only, write reports/benchmarks/serving.md."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    with tempfile.TemporaryDirectory(prefix="chrysalis-bench-") as folder:
        place = models or Path(folder)
        work = serving_cases.prepared(place / "vgg16", "vgg16", photos)
        easy = serving_cases.prepared(place / "nothing", "nothing", photos)
        cases: dict[Case, Callable[[], Section]] = {
            Case.CEILING: lambda: serving_cases.ceiling(work, seconds),
            Case.STARTS: lambda: serving_cases.starts(work, rounds, seconds),
            Case.LOAD: lambda: serving_cases.load(work, rounds, seconds),
            Case.SETTINGS: lambda: serving_cases.settings(work, rounds, seconds),
            Case.COST: lambda: serving_cases.cost(easy, rounds, seconds),
        }
        sections = [measured(case, cases[case]) for case in only or Case]
    sys.stdout.write(f"{targets_of(sections)}\n\n{described()}\n")
    if not only:
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        kilobytes = len(work.question.body) / 1000
        REPORT.write_text(document(sections, rounds, kilobytes, made_up=photos is None))
        sys.stderr.write(f"wrote {REPORT.relative_to(ROOT)}\n")


def measured(case: Case, run: Callable[[], Section]) -> Section:
    """Run a case, and say what came out: a later one may fail."""
    began = time.monotonic()
    section = run()
    sys.stderr.write(f"{case}: {time.monotonic() - began:.0f} s\n")
    sys.stdout.write(section.markdown() + "\n\n")
    sys.stdout.flush()
    return section


def document(sections: list[Section], rounds: int, kilobytes: float, *, made_up: bool) -> str:
    """The report."""
    origin = " The photo is made up, as no zip was given." if made_up else ""
    blocks = [
        "# Serving, measured",
        HOW.format(rounds=rounds, kilobytes=kilobytes, cores=CORES) + origin,
        described(),
        "## Targets",
        targets_of(sections),
    ]
    blocks += [section.markdown() for section in sections] + ["## Who was measured", WHO]
    return "\n\n".join(blocks) + "\n"


def targets_of(sections: list[Section]) -> str:
    """The table of every section's targets."""
    return targets_table(target for section in sections for target in section.targets)


def described() -> str:
    """The machine and the versions."""
    peers = subprocess.run(
        [PEERS / "python", "-c", VERSIONS, *PEERS_PACKAGES], capture_output=True, text=True, check=True
    ).stdout.strip()
    return machine.as_table({"ours": machine.versions(PACKAGES), "peers": peers})


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    if not (PEERS / "python").exists():
        sys.exit("the peers' environment isn't in benchmarks/serving_peers/.venv: make bench-serving")
    try:
        app()
    except (MeasuringError, WrongOutputError) as error:
        sys.exit(f"make bench-serving: {error}")
