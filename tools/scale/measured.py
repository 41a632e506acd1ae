"""The figures that were measured: read from the benchmarks' reports, so that they stay true.

A figure is found by the section that it stands in, the first cell of its table's header, its row and its
column.
"""

import re
import statistics
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from contracts.errors import InputError

REPORTS: Final = Path(__file__).parents[2] / "reports/benchmarks"
MEASURED_CORES: Final = 2
"""Of the machine that the reports are of."""

SMALL_FILES: Final = "2,000 files of 15 KB,"


@dataclass(frozen=True)
class Measured:
    """What the model takes from the reports; rates are images or answers a second."""

    photo_kb: float
    """Average of the photos that were sharded."""
    record_kb: float
    """Of a photo as a 224x224 JPEG in a record."""
    shard_rate: float
    """Of `build_records`, one core, behind the start."""
    shard_spread: float
    """Standard deviation of that rate's repeats, over their mean."""
    request_s: float
    """Of a small file from a bucket on this machine, the server's part included: at most so much."""
    process_rate: float
    """Of `process`, one core, start included."""
    input_rate: float
    """Of the trainer's augmented batches, one core."""
    answer_rate: float
    """Of a server with two cores, at 16 connections."""
    answer_ms: tuple[float, float, float]
    """One connection: p50, p90 and p99."""
    start_s: float
    """From a server's start to its first answer."""


def measured() -> Measured:
    """Read the reports.

    Raises:
        InputError: a figure isn't where it was.
    """
    photos = "Sharding photos"
    repeats = _numbers(_cell("data", photos, "after start-up", "build_records", "each"))
    p50, p90, p99 = (
        _number("serving", "Load", "one connection", "ours", name) for name in ("p50 ms", "p90", "p99")
    )
    return Measured(
        photo_kb=_said("data", r"images of ([\d.]+) KB on average, centre crop to 224x224"),
        record_kb=_said("training", r"records of 224x224: ([\d.]+) KB on average"),
        shard_rate=_number("data", photos, "after start-up", "build_records", "images/s") / MEASURED_CORES,
        shard_spread=statistics.stdev(repeats) / statistics.mean(repeats),
        request_s=_number("data", "Transfers", "transfer", f"{SMALL_FILES} down", "ours, s") / 2000,
        process_rate=_number("data", "A zip read in place", "`process` on", "files on disk", "images/s")
        / MEASURED_CORES,
        input_rate=_number("training", "Input", "a pass", "ours, crops of 8% and more", "images/s")
        / MEASURED_CORES,
        answer_rate=_number("serving", "Load", "16 connections", "ours", "answers/s"),
        answer_ms=(p50, p90, p99),
        start_s=_number("serving", "Starts and memory", "start", "ours", "s to the first answer"),
    )


@cache
def _text(report: str) -> str:
    return (REPORTS / f"{report}.md").read_text(encoding="utf-8")


def _said(report: str, pattern: str) -> float:
    found = re.search(pattern, _text(report))
    if found is None:
        raise InputError(f"reports/benchmarks/{report}.md says nothing like {pattern!r} any more")
    return float(found[1].replace(",", ""))


def _number(report: str, section: str, table: str, row: str, column: str) -> float:
    return _numbers(_cell(report, section, table, row, column))[0]


def _numbers(text: str) -> list[float]:
    return [float(word.rstrip("x%").replace(",", "")) for word in text.split()]


def _cell(report: str, section: str, table: str, row: str, column: str) -> str:
    inside = re.split(r"^## ", _text(report), flags=re.MULTILINE)
    for part in (part for part in inside if part.startswith(section)):
        for block in re.findall(r"(?:^\|.*\n?)+", part, flags=re.MULTILINE):
            header, _, *rows = (_cells(line) for line in block.strip().splitlines())
            found = next((cells for cells in rows if cells[0] == row), None)
            if header[0] == table and found and column in header:
                return found[header.index(column)]
    raise InputError(
        f"reports/benchmarks/{report}.md has no {column!r} of {row!r} under {section!r} any more: "
        "tools/scale/measured.py says where each figure stands"
    )


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]
