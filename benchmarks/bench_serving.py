"""`make bench-serving`: the server measured against its peers and limits; reports/benchmarks/serving.md.

Every figure is of this run, on this machine. The photo comes from a zip that is named; one is made up where
none is. Linux only: servers are held still while another one is measured.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from benchmarks import machine, serving_contenders, serving_rounds, serving_starts
from benchmarks.commands import CONTENDERS, ENVIRONMENT, PYTHON, ROOT
from benchmarks.measuring import MeasuringError, measure
from benchmarks.report import MB, Section, Target, table, targets_table
from benchmarks.rounds import WrongOutputError
from benchmarks.serving_contenders import BARE, BENTOML, CORES, FASTAPI, FLASK, LITSERVE, OURS, PEERS
from benchmarks.serving_process import Contender, Question, running
from benchmarks.serving_rounds import FEW, MANY, Results, Runner, Trial, Work
from contracts.bundle import ModelBundle

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


def main(
    only: Annotated[
        list[Case] | None, typer.Option(help="Measure this alone and write no report; repeatable.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="The report wants 5 or more.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.5, help="Of load on each server in each round.")] = 5,
    photos: Annotated[Path | None, typer.Option(help="A zip of photos in class folders.")] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Where to keep the model that is served, or where it is.")
    ] = None,
) -> None:
    """Measure the server; without --only, write reports/benchmarks/serving.md."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    cases: dict[Case, Callable[[Work], Section]] = {
        Case.CEILING: lambda work: ceiling(work, seconds),
        Case.STARTS: lambda work: starts(work, rounds, seconds),
        Case.LOAD: lambda work: load(work, rounds, seconds),
        Case.SETTINGS: lambda work: settings(work, rounds, seconds),
    }
    with tempfile.TemporaryDirectory(prefix="chrysalis-bench-") as folder:
        work = prepared(bundle or Path(folder) / "bundle", photos, Path(folder))
        sections = [measured(case, cases[case], work) for case in only or Case]
    targets = targets_table(target for section in sections for target in section.targets)
    sys.stdout.write(f"{targets}\n\n{described()}\n")
    if not only:
        how = HOW.format(rounds=rounds, kilobytes=len(work.question.body) / 1000, cores=CORES)
        origin = "" if photos else " The photo is made up, as no zip was given."
        blocks = ["# Serving, measured", how + origin, described(), "## Targets", targets]
        blocks += [section.markdown() for section in sections] + ["## Who was measured", WHO]
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text("\n\n".join(blocks) + "\n")
        sys.stderr.write(f"wrote {REPORT.relative_to(ROOT)}\n")


def prepared(bundle: Path, photos: Path | None, folder: Path) -> Work:
    """Make the bundle, if it isn't there, and the request; `folder` is for what is needed meanwhile."""
    measure([PYTHON, "-m", "benchmarks.serving_bundle", *map(str, filter(None, (bundle, photos)))])
    described = ModelBundle.read(str(bundle))
    golden = described.golden[0]
    photo = bundle / golden.file
    expected = dict(zip(described.class_names, golden.probabilities, strict=True))
    question = Question.of(photo.read_bytes(), expected)
    body = folder / "body"
    body.write_bytes(question.body)
    return Work(bundle, photo, question, body)


def measured(case: Case, run: Callable[[Work], Section], work: Work) -> Section:
    """Run a case, and say what came out: a later one may fail."""
    began = time.monotonic()
    section = run(work)
    sys.stderr.write(f"{case}: {time.monotonic() - began:.0f} s\n")
    sys.stdout.write(section.markdown() + "\n\n")
    sys.stdout.flush()
    return section


def load(work: Work, rounds: int, seconds: float) -> Section:
    """Throughput and latency, ours against everybody's."""
    contenders = serving_contenders.everybody(work.bundle)
    results = serving_rounds.measure(contenders, bare(work), work, rounds, seconds)
    few, many = results[FEW], results[MANY]
    about = (
        f"All servers are up; one runs at a time, for {seconds:g} s of each round, and the others are stopped "
        "(SIGSTOP) meanwhile. Each connection sends its next request when the last one is answered. Bare is "
        "decoding and asking the same LiteRT file in one process, without HTTP: one interpreter with a thread "
        "for each core, or one for each core with one thread. Percentiles are of all rounds' answers. Ratios "
        "and differences are taken within each round, and their median is the figure."
    )
    blocks = [
        about,
        serving_rounds.throughput_table(many, OURS),
        serving_rounds.latency_table(few, BARE[1]),
    ]
    return Section("Load", blocks, targets_of(few, many))


def targets_of(few: Results, many: Results) -> list[Target]:
    """What the load settles."""

    def times(*names: str) -> float:
        return statistics.median(serving_rounds.ratios(many[OURS], best(many, *names)))

    more = statistics.median(serving_rounds.added(few[OURS], few[BARE[1]]))
    at = f"answers/s at {MANY} connections"
    return [
        Target(f"{at}, of bare decoding and asking at its better setting", times(*BARE), 0.9),
        Target("p50 at one connection over bare", more, 3, at_least=False, unit="ms"),
        Target(f"{at}, over {FASTAPI}", times(FASTAPI), 3.5),
        Target(f"{at}, over {FLASK}", times(FLASK), 3.5),
        Target(f"{at}, over LitServe at its better setting", times(*LITSERVE), 1.0),
        Target(f"{at}, over BentoML at its better setting", times(*BENTOML), 1.1),
    ]


def best(results: Results, *names: str) -> list[Trial]:
    """In each round, the trial of whoever answered most."""
    rounds = zip(*(results[name] for name in names), strict=True)
    return [max(trials, key=lambda trial: trial.load.rate) for trials in rounds]


def bare(work: Work) -> dict[str, Runner]:
    """The network without a server, in both settings."""

    def by(name: str) -> Runner:
        def trial(_: int, seconds: float) -> Trial:
            command = serving_contenders.bare_command(work.bundle, work.photo, name, seconds)
            done = serving_rounds.read_load(command)
            return Trial(done, done.cpu)

        return trial

    return {name: by(name) for name in BARE}


def starts(work: Work, rounds: int, seconds: float) -> Section:
    """Seconds to the first answer, and memory."""
    found = serving_starts.measure(serving_contenders.everybody(work.bundle), work, rounds, seconds)
    about = (
        "Each server is started afresh and alone, its files in the page cache. The first answer is the first "
        "200 to the photo, from the start of the process on. Memory is of all its processes together, behind "
        f"{seconds:g} s of load at {MANY} connections and the largest of samples meanwhile: RSS counts a page "
        "for each process that holds it, PSS once."
    )
    ours = found[OURS]
    slowest = statistics.median(one.seconds for one in ours)
    peak = statistics.median(one.peak_rss for one in ours) / MB
    targets = [
        Target("start of the process to the first answer", slowest, 1.0, at_least=False, unit="s"),
        Target("memory of all processes at the peak, RSS", peak, 160, at_least=False, unit="MB"),
    ]
    return Section("Starts and memory", [about, serving_starts.starts_table(found)], targets)


def settings(work: Work, rounds: int, seconds: float) -> Section:
    """Ours as it chooses by itself, against what it can be told."""
    contenders = serving_contenders.settings(work.bundle)
    results = serving_rounds.measure(contenders, {}, work, rounds, seconds)
    about = (
        "Our server with CHRYSALIS_WORKERS (images in the network at once) and CHRYSALIS_THREADS (of each), "
        "measured as above."
    )
    tables = [
        serving_rounds.throughput_table(results[MANY], OURS),
        serving_rounds.latency_table(results[FEW], OURS),
    ]
    return Section("Our settings", [about, *tables], [])


def ceiling(work: Work, seconds: float) -> Section:
    """The load on a server that does nothing."""
    script = str(CONTENDERS / "serving_nothing.py")
    nothing = Contender(lambda port: (PYTHON, script, str(port)), ENVIRONMENT)
    question = replace(work.question, expected={})
    with running(nothing, question) as server:
        loads = {
            count: serving_rounds.load_on(server.port, work, count, seconds)
            for count in serving_rounds.CONCURRENCIES
        }
    rows = [
        [
            str(count),
            f"{one.rate:,.0f}",
            f"{serving_rounds.quantile(one.milliseconds, 0.5):.2f}",
            f"{1000 * one.cpu / one.answers:.3f}",
        ]
        for count, one in loads.items()
    ]
    header = ["connections", "answers/s", "p50 ms", "CPU ms an answer, of the load"]
    about = "On a server that reads the request and answers at once: what the load could make, and costs."
    return Section("The load itself", [about, table(header, rows)], [])


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
        sys.exit(
            "the peers' environment, benchmarks/serving_peers/.venv, isn't there: make bench-serving sets it up"
        )
    try:
        app()
    except (MeasuringError, WrongOutputError) as error:
        sys.exit(f"make bench-serving: {error}")
