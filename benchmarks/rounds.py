"""Trials in rounds: everybody once a round, in an order that rotates, each into a fresh folder."""

import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measuring import Measured, measure

Command = Callable[[Path], Sequence[str]]
"""The output folder, which isn't there yet, to the command that fills it."""


class WrongOutputError(RuntimeError):
    """A contender didn't do the work that it was timed at."""


@dataclass(frozen=True)
class Trial:
    """A command, and how to see that it did its work."""

    command: Command
    count: Callable[[Path], int]
    """Of the images in its output."""
    images: int
    """How many there must be."""
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, work: Path, *, memory: bool = False) -> Measured:
        """Run it into a fresh folder below `work`, check what came out and delete it."""
        folder = Path(tempfile.mkdtemp(dir=work))
        output = folder / "output"
        try:
            measured = measure(self.command(output), memory=memory, environment=self.environment)
            found = self.count(output)
        finally:
            shutil.rmtree(folder)
        if found != self.images:
            raise WrongOutputError(f"expected {self.images} images, found {found}: {self.command(output)}")
        return measured


def rotate(
    trials: Mapping[str, Trial], repeats: int, work: Path, *, memory: bool = False
) -> dict[str, list[Measured]]:
    """Run every trial `repeats` times: a round runs each once, and the next round starts with another."""
    results: dict[str, list[Measured]] = {name: [] for name in trials}
    names = list(trials)
    for number in range(repeats):
        start = number * max(1, len(names) // repeats) % len(names)
        for name in names[start:] + names[:start]:
            measured = trials[name].run(work, memory=memory)
            results[name].append(measured)
            what = f"{measured.pss / 1e6:.0f} MB" if memory else f"{measured.wall:.2f} s"
            sys.stderr.write(f"  round {number + 1} of {repeats}: {name}: {what}\n")
    return results


def wall(runs: Sequence[Measured]) -> float:
    """The median of the seconds."""
    return statistics.median(run.wall for run in runs)


def cpu(runs: Sequence[Measured]) -> float:
    """The median of the CPU seconds."""
    return statistics.median(run.cpu for run in runs)


def pss(runs: Sequence[Measured]) -> float:
    """The median of the peaks, in bytes."""
    return statistics.median(run.pss for run in runs)


def rss(runs: Sequence[Measured]) -> float:
    """The median of the peaks of what is resident, in bytes."""
    return statistics.median(run.rss for run in runs)


def sampled_every(runs: Sequence[Measured]) -> float:
    """Seconds between samples, of the run in which they were fewest."""
    return max(run.wall / run.samples for run in runs)


def rates_after_start(
    whole: Sequence[Measured], images: int, longer: Sequence[Measured], more_images: int
) -> list[float]:
    """Images a second, start-up taken off: the further images over what each longer run took longer."""
    return [(more_images - images) / (run.wall - wall(whole)) for run in longer]


def cpu_after_start(
    whole: Sequence[Measured], images: int, longer: Sequence[Measured], more_images: int
) -> float:
    """CPU seconds an image, start-up taken off: of the code, whatever else the machine is busy with."""
    return (cpu(longer) - cpu(whole)) / (more_images - images)
