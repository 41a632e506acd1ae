"""What is measured of serving, case by case: each gives its section of the report."""

import statistics
from dataclasses import replace
from pathlib import Path

from benchmarks import serving_contenders, serving_rounds, serving_starts
from benchmarks.commands import CONTENDERS, ENVIRONMENT, PYTHON
from benchmarks.measuring import measure
from benchmarks.report import MB, Section, Target, table
from benchmarks.serving_contenders import BARE, BENTOML, FASTAPI, FLASK, LITSERVE, OURS
from benchmarks.serving_process import Contender, Question, running
from benchmarks.serving_rounds import FEW, MANY, Results, Runner, Trial, Work
from contracts.bundle import ModelBundle


def prepared(bundle: Path, network: str, photos: Path | None) -> Work:
    """Make a bundle of a network, if it isn't there, and the request."""
    given = [bundle, network, *([photos] if photos else [])]
    measure([PYTHON, "-m", "benchmarks.serving_bundle", *map(str, given)])
    return asked(bundle)


def asked(bundle: Path) -> Work:
    """A bundle's first golden image is the photo, and what the bundle says of it the right answer."""
    described = ModelBundle.read(str(bundle))
    golden = described.golden[0]
    photo = bundle / golden.file
    expected = dict(zip(described.class_names, golden.probabilities, strict=True))
    return Work(bundle, photo, Question.of(photo.read_bytes(), expected))


def load(work: Work, rounds: int, seconds: float) -> Section:
    """Throughput and latency, ours against everybody's."""
    contenders = serving_contenders.everybody(work.bundle)
    results = serving_rounds.measure(contenders, bare(work), work, rounds, seconds)
    few, many = results[FEW], results[MANY]
    about = (
        f"All servers are up; one runs at a time, for {seconds:g} s of each round, and the others are held "
        "still (SIGSTOP) meanwhile. Each connection sends its next request when its last one is answered. "
        "Bare is decoding and asking the same LiteRT file in one process, without HTTP: one interpreter "
        "with a thread for each core, or one for each core with one thread. Percentiles are of all rounds' "
        "answers. Ratios and differences are taken within each round, and their median is the figure."
    )
    blocks = [
        about,
        serving_rounds.throughput_table(many, OURS),
        serving_rounds.latency_table(few, BARE[1]),
    ]
    return Section("Load", blocks, targets_of(few, many))


def cost(work: Work, rounds: int, seconds: float) -> Section:
    """What a server costs, where the network costs nothing."""
    contenders = serving_contenders.everybody(work.bundle)
    results = serving_rounds.measure(contenders, bare(work), work, rounds, seconds)
    about = (
        "The same photo, asked of a network that only averages its pixels: decoding is nearly all of the "
        "bare work, and what a server adds to it shows beside it."
    )
    tables = [
        serving_rounds.throughput_table(results[MANY], OURS),
        serving_rounds.latency_table(results[FEW], BARE[1]),
    ]
    return Section("What serving itself costs", [about, *tables])


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
        f"{seconds:g} s of load at {MANY} connections, and the largest of samples meanwhile: RSS counts a "
        "page for each process that holds it, PSS once."
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
    return Section("Our settings", [about, *tables])


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
    return Section("The load itself", [about, table(header, rows)])
