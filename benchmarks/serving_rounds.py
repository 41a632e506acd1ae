"""Load on servers in rounds: all are up, one runs at a time, for seconds, and the others are held still.

So two of them are compared within the same minute: a shared machine is twice as fast in some as in others.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import serving_load
from benchmarks.commands import ENVIRONMENT, PYTHON
from benchmarks.measuring import MeasuringError
from benchmarks.report import each, table
from benchmarks.rounds import WrongOutputError
from benchmarks.serving_load import Load
from benchmarks.serving_process import CONTENT_TYPE, Contender, Question, Server, running

FEW, MANY = 1, 16
"""Connections at once."""
CONCURRENCIES: Final = (FEW, MANY)


@dataclass(frozen=True)
class Trial:
    """What one contender did in one round."""

    load: Load
    cpu: float
    """Seconds of CPU of the contender itself."""

    def quantile(self, share: float) -> float:
        """Milliseconds within which that share of the answers came."""
        return quantile(self.load.milliseconds, share)

    @property
    def cpu_of_answer(self) -> float:
        """Milliseconds of CPU."""
        return 1000 * self.cpu / self.load.answers


Results = dict[str, list[Trial]]
"""Of each contender, in the order of the rounds."""
Runner = Callable[[int, float], Trial]
"""Connections and seconds to what was done in them."""


@dataclass(frozen=True)
class Work:
    """What every contender is given."""

    bundle: Path
    photo: Path
    question: Question

    def on(self, server: Server) -> Runner:
        """Load on a server, which runs only meanwhile."""

        def trial(concurrency: int, seconds: float) -> Trial:
            server.resume()
            before = server.cpu
            load = load_on(server.port, self, concurrency, seconds)
            used = server.cpu - before
            server.hold()
            return Trial(load, used)

        return trial


def take_turns(
    runners: Mapping[str, Runner], concurrency: int, seconds: float, number: int
) -> dict[str, Trial]:
    """Everybody once; each round begins with another."""
    names = list(runners)
    start = number % len(names)
    found = {}
    for name in names[start:] + names[:start]:
        found[name] = runners[name](concurrency, seconds)
        sys.stderr.write(f"  at {concurrency}: {name}: {found[name].load.rate:.1f}/s\n")
    return found


def measure(
    contenders: Mapping[str, Contender],
    others: Mapping[str, Runner],
    work: Work,
    rounds: int,
    seconds: float,
) -> dict[int, Results]:
    """Start the contenders, and load each in each round with one connection and with many.

    Args:
        contenders: servers.
        others: whoever else takes turns.
        work: the same for all.
        rounds: how many.
        seconds: of load on each, in each round.

    Returns:
        For each number of connections the results.
    """
    results: dict[int, Results] = {
        count: {name: [] for name in (*contenders, *others)} for count in CONCURRENCIES
    }
    with ExitStack() as stack:
        runners = dict(others)
        for name, contender in contenders.items():
            server = stack.enter_context(running(contender, work.question))
            load_on(server.port, work, MANY, 1)  # the first answers are slower: not everything is awake
            server.hold()
            runners[name] = work.on(server)
        for number in range(rounds):
            sys.stderr.write(f"round {number + 1} of {rounds}\n")
            for concurrency, found in results.items():
                for name, trial in take_turns(runners, concurrency, seconds, number).items():
                    found[name].append(trial)
    return results


def load_on(port: int, work: Work, concurrency: int, seconds: float) -> Load:
    """Load a server from a process of its own.

    Raises:
        WrongOutputError: an answer wasn't 200.
    """
    command = [PYTHON, serving_load.__file__, port, work.question.path, CONTENT_TYPE, concurrency, seconds]
    load = read_load([str(part) for part in command], work.question.body)
    if load.failures:
        raise WrongOutputError(
            f"{load.failures} of {load.answers} answers failed at {concurrency} connections"
        )
    return load


def read_load(command: Sequence[str], given: bytes = b"") -> Load:
    """Run a command whose last line is a `Load`; `given` is its standard input.

    Raises:
        MeasuringError: it failed.
    """
    done = subprocess.run(command, input=given, capture_output=True, env={**os.environ, **ENVIRONMENT})
    if done.returncode:
        said = done.stderr[-2000:].decode(errors="replace")
        raise MeasuringError(f"{' '.join(command)}\nended with {done.returncode}:\n{said}")
    return Load(**json.loads(done.stdout.rstrip().rpartition(b"\n")[2]))


def ratios(mine: Iterable[Trial], theirs: Iterable[Trial]) -> list[float]:
    """In each round, how many times as many answers as the other."""
    return [one.load.rate / other.load.rate for one, other in zip(mine, theirs, strict=True)]


def added(mine: Iterable[Trial], theirs: Iterable[Trial]) -> list[float]:
    """In each round, the milliseconds by which the median answer took longer."""
    return [one.quantile(0.5) - other.quantile(0.5) for one, other in zip(mine, theirs, strict=True)]


def throughput_table(results: Results, ours: str) -> str:
    """Answers a second with many connections, and how many times as many ours gives."""
    header = [
        "16 connections",
        "answers/s",
        "each",
        f"{ours} is",
        "each",
        "p50 ms",
        "p90",
        "p99",
        "CPU ms an answer",
    ]
    rows = []
    for name, trials in results.items():
        rates, times = [trial.load.rate for trial in trials], ratios(results[ours], trials)
        rows.append(
            [
                name,
                f"{statistics.median(rates):.1f}",
                each(rates, 1),
                f"{statistics.median(times):.2f}x",
                each(times),
            ]
            + [f"{quantile(pooled(trials), share):.0f}" for share in (0.5, 0.9, 0.99)]
            + [f"{statistics.median(trial.cpu_of_answer for trial in trials):.1f}"]
        )
    return table(header, rows)


def latency_table(results: Results, least: str) -> str:
    """Milliseconds of an answer with one connection, and by how much they exceed somebody's."""
    header = ["one connection", "p50 ms", "each", "p90", "p99", f"over {least}, ms", "each"]
    rows = []
    for name, trials in results.items():
        more = added(trials, results[least])
        rows.append(
            [name, f"{quantile(pooled(trials), 0.5):.1f}", each((trial.quantile(0.5) for trial in trials), 1)]
            + [f"{quantile(pooled(trials), share):.1f}" for share in (0.9, 0.99)]
            + [f"{statistics.median(more):.1f}", each(more, 1)]
        )
    return table(header, rows)


def pooled(trials: Iterable[Trial]) -> list[float]:
    """Every round's milliseconds."""
    return [one for trial in trials for one in trial.load.milliseconds]


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of all don't exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
