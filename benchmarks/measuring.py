"""One command measured: seconds of wall clock and of CPU, and the memory of all its processes together.

The measuring is done by a process of its own, this file run, which adopts whatever the command leaves behind:
so the CPU time and memory of every descendant count, even of one whose parent died.
Linux only, for /proc. Sampling memory costs time: what is timed isn't sampled, and the other way round.
"""

import ctypes
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

SECONDS_BETWEEN_SAMPLES: Final = 0.02
SECONDS_TO_END: Final = 20.0
"""How long what a command leaves behind may take to end by itself."""

_PR_SET_CHILD_SUBREAPER: Final = 36
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class MeasuringError(RuntimeError):
    """The command failed; the message holds the end of what it said."""


@dataclass(frozen=True)
class Measured:
    """What a command cost."""

    wall: float
    """Seconds until it ended."""
    cpu: float
    """Seconds of CPU, user and system, of all its processes."""
    pss: int
    """Peak of the sum, over all processes, of the proportional set size, in bytes; 0: it wasn't sampled."""
    rss: int
    """The same of the resident set size, in which shared pages count once for every process."""
    samples: int


def measure(
    command: Sequence[str], *, memory: bool = False, environment: Mapping[str, str] | None = None
) -> Measured:
    """Run a command to its end.

    Args:
        command: what to run, in the present folder.
        memory: sample the memory of its processes meanwhile.
        environment: variables on top of the present ones.

    Raises:
        MeasuringError: it failed.
    """
    # This file by its path: the command's environment needs nothing of ours.
    done = subprocess.run(
        [sys.executable, __file__, json.dumps(memory), *command],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
    )
    answer = done.stdout.rstrip().rpartition("\n")[2]
    if done.returncode or not answer.startswith("{"):
        said = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
        raise MeasuringError(f"{' '.join(command)}\nended with {done.returncode}:\n{said}")
    return Measured(**json.loads(answer))


def main() -> None:
    """Measure the command of the arguments behind the first, which says whether to sample memory."""
    memory, command = json.loads(sys.argv[1]), sys.argv[2:]
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = _cpu_seconds()
    started = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    with sampling(lambda: descendants(os.getpid())) if memory else _nothing() as peak:
        code = process.wait()
        wall = time.perf_counter() - started
    _reap()
    measured = Measured(wall, _cpu_seconds() - before, peak.pss, peak.rss, peak.samples)
    sys.stdout.write(json.dumps(asdict(measured)) + "\n")
    sys.exit(code)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _reap() -> None:
    """Wait for the command's orphans, which are this process' children by now."""
    deadline = time.monotonic() + SECONDS_TO_END
    while time.monotonic() < deadline:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            time.sleep(0.01)
    raise MeasuringError(f"processes {descendants(os.getpid())} outlive the command")


@dataclass
class Peak:
    """The largest sums, in bytes, that were seen."""

    pss: int = 0
    rss: int = 0
    samples: int = 0

    def take(self, pids: Iterable[int]) -> None:
        """Look again."""
        pss, rss = memory_of(pids)
        self.pss, self.rss = max(self.pss, pss), max(self.rss, rss)
        self.samples += 1


@contextmanager
def _nothing() -> Iterator[Peak]:
    yield Peak()


@contextmanager
def sampling(pids: Callable[[], Iterable[int]]) -> Iterator[Peak]:
    """Sample the memory of processes, which are looked up each time, until the block ends."""
    peak, stop = Peak(), threading.Event()

    def sample() -> None:
        due = time.monotonic()
        while not stop.wait(max(0.0, due - time.monotonic())):
            due = time.monotonic() + SECONDS_BETWEEN_SAMPLES
            peak.take(pids())

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield peak
    finally:
        stop.set()
        sampler.join()


def descendants(root: int) -> list[int]:
    """The ids of every process below one, itself aside."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            children.setdefault(_parent(folder), []).append(int(folder.name))
    found: list[int] = []
    waiting = [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _parent(folder: Path) -> int:
    try:
        # Behind the command's name, which may hold anything, in brackets: state and parent.
        return int((folder / "stat").read_bytes().rpartition(b")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return -1  # it has ended


def memory_of(pids: Iterable[int]) -> tuple[int, int]:
    """The sums of processes' proportional and resident set sizes, in bytes."""
    pss, rss = zip((0, 0), *map(_memory, pids), strict=True)
    return sum(pss), sum(rss)


def cpu_seconds(pids: Iterable[int]) -> float:
    """Of processes, and of those that they have waited for, so far: user and system."""
    return sum(map(_own_cpu_seconds, pids))


def _own_cpu_seconds(pid: int) -> float:
    try:
        # Behind the command's name, which may hold anything, in brackets; utime, stime, cutime, cstime.
        figures = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[11:15]
    except (FileNotFoundError, ProcessLookupError):
        return 0.0  # it has ended
    return sum(map(int, figures)) / _TICKS


def _memory(pid: int) -> tuple[int, int]:
    """The proportional and resident set sizes of a process, in bytes."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except (FileNotFoundError, ProcessLookupError):
        return 0, 0  # it has ended
    kilobytes = {key: int(value.split()[0]) for key, _, value in (line.partition(":") for line in lines)}
    return kilobytes.get("Pss", 0) * 1024, kilobytes.get("Rss", 0) * 1024


if __name__ == "__main__":
    main()
