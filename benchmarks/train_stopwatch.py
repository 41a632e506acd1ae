"""What a contender costs from one of its own events to the next, such as an epoch: wall clock and CPU.

Contenders say in JSON lines on standard error what they have just done, as our commands do. The moments are
taken here, as the lines arrive: by one clock for everybody, with the CPU time of a contender's own processes
(W&B's, say). What comes before the first event of a lap, imports and building, doesn't count.
Linux only, for /proc.
"""

import json
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.measuring import MeasuringError, cpu_seconds, descendants

SECONDS_TO_END: Final = 120.0
"""How long a contender that was told to end may take: ours keeps its state first."""
LINES_KEPT: Final = 30

EPOCH: Final = "epoch"


@dataclass(frozen=True)
class Event:
    """Something that a contender said."""

    name: str
    wall: float
    """Seconds, of a clock that only has differences."""
    cpu: float
    """Seconds of CPU, user and system, of its processes until then."""
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Lap:
    """What came between two events."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Watched:
    """What a contender did in one run."""

    events: Sequence[Event]
    laps: Sequence[Lap]

    @property
    def wall(self) -> float:
        """The median lap's seconds, which `benchmarks.rounds.rotate` shows."""
        return wall(self.laps)


def between(events: Sequence[Event], begin: str, end: str) -> list[Lap]:
    """Laps from each event `begin` to the next `end`; both may be the same."""
    laps, started = [], None
    for event in events:
        if event.name == end and started:
            laps.append(Lap(event.wall - started.wall, event.cpu - started.cpu))
            started = None
        if event.name == begin:
            started = event
    return laps


def span(events: Sequence[Event], begin: str, end: str) -> list[Lap]:
    """The one lap from the first event `begin` to the last `end`."""
    first = next(event for event in events if event.name == begin)
    last = [event for event in events if event.name == end][-1]
    return [Lap(last.wall - first.wall, last.cpu - first.cpu)]


def epochs(events: Sequence[Event]) -> list[Lap]:
    """Whole epochs, but for the first: in it functions are traced."""
    return between(events, EPOCH, EPOCH)


@dataclass(frozen=True)
class Contender:
    """A command, the event that it is over with, and which of its laps count."""

    command: Callable[[Path], Sequence[str]]
    """The output folder, which isn't there yet, to the command."""
    last: tuple[str, int]
    """The name of an event and how often it comes; the command is told to end after the last."""
    laps: Callable[[Sequence[Event]], Sequence[Lap]]
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, work: Path, *, memory: bool = False) -> Watched:
        """Run it with a fresh folder below `work`, as `benchmarks.rounds.rotate` does.

        Raises:
            MeasuringError: it ended before its last event.
        """
        if memory:
            raise ValueError("expected a trial of time: laps aren't sampled for memory")
        folder = Path(tempfile.mkdtemp(dir=work))
        try:
            events = watch(self.command(folder / "output"), self.last, self.environment)
        finally:
            shutil.rmtree(folder)
        return Watched(events, self.laps(events))


def watch(command: Sequence[str], last: tuple[str, int], environment: Mapping[str, str]) -> list[Event]:
    """Run a command until it has said the last event, then tell it to end.

    Raises:
        MeasuringError: it ended before.
    """
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr  # noqa: S101 - for the reader: it is a pipe
    name, missing = last
    events: list[Event] = []
    said: deque[str] = deque(maxlen=LINES_KEPT)
    try:
        for line in process.stderr:
            said.append(line)
            if event := _event(line, process.pid):
                events.append(event)
                missing -= event.name == name
                if not missing:
                    return events
        raise MeasuringError(
            f"{' '.join(command)}\nended with {process.wait()} before it said '{name}' {last[1]} times:\n"
            + "".join(said)
        )
    finally:
        _end(process)


def wall(laps: Iterable[Lap]) -> float:
    """The median of the seconds."""
    return statistics.median(lap.wall for lap in laps)


def cpu(laps: Iterable[Lap]) -> float:
    """The median of the CPU seconds."""
    return statistics.median(lap.cpu for lap in laps)


def _event(line: str, pid: int) -> Event | None:
    if not line.startswith('{"event"'):
        return None
    now, used = time.perf_counter(), cpu_seconds([pid, *descendants(pid)])
    fields = json.loads(line)
    return Event(fields.pop("event"), now, used, fields)


def _end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.communicate(timeout=SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
