"""Servers started afresh: seconds to the first answer, and memory under load and behind it."""

import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.measuring import memory_of, sampling
from benchmarks.report import MB, each, table
from benchmarks.serving_process import Contender, running
from benchmarks.serving_rounds import MANY, Work, load_on


@dataclass(frozen=True)
class Start:
    """One start. Memory is the sum over all of a server's processes, in bytes."""

    seconds: float
    """From the start of the process to the first answer of 200 to a photo."""
    pss: int
    """Proportional set size behind the load: a page of several processes counts once."""
    rss: int
    """Resident set size: it counts for each."""
    peak_pss: int
    peak_rss: int


def start(contender: Contender, work: Work, seconds: float) -> Start:
    """Start a server alone, load it with many connections, and end it."""
    with running(contender, work.question) as server:
        with sampling(lambda: server.pids) as peak:
            load_on(server.port, work, MANY, seconds)
        pss, rss = memory_of(server.pids)
        return Start(server.seconds_to_answer, pss, rss, max(pss, peak.pss), max(rss, peak.rss))


def measure(
    contenders: Mapping[str, Contender], work: Work, rounds: int, seconds: float
) -> dict[str, list[Start]]:
    """Start everybody once in each round; each round begins with another."""
    names = list(contenders)
    found: dict[str, list[Start]] = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            found[name].append(start(contenders[name], work, seconds))
            sys.stderr.write(f"  start {number + 1} of {rounds}: {name}: {found[name][-1].seconds:.2f} s\n")
    return found


def starts_table(found: Mapping[str, Sequence[Start]]) -> str:
    """Seconds and megabytes."""
    header = [
        "start",
        "s to the first answer",
        "each",
        "MB after the load: RSS",
        "PSS",
        "at the peak: RSS",
        "PSS",
    ]
    rows = []
    for name, starts in found.items():
        seconds = [one.seconds for one in starts]
        memory = [
            [one.rss for one in starts],
            [one.pss for one in starts],
            [one.peak_rss for one in starts],
            [one.peak_pss for one in starts],
        ]
        rows.append(
            [name, f"{statistics.median(seconds):.2f}", each(seconds)]
            + [f"{statistics.median(values) / MB:.0f}" for values in memory]
        )
    return table(header, rows)
