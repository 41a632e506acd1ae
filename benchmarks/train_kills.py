"""`make bench-train-kills`: trainings stopped again and again at random moments, and what they come to.

Not a benchmark of speed: it shows how often a stop went well, into reports/benchmarks/training_kills.md. Each
run is started anew until it ends by itself, and compared with one that nobody stopped. Seeded; the moments
are drawn over the CPU time of an undisturbed run, start-up and export included: by the clock, a busy machine
would move them all. Linux only, for /proc.
"""

import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from benchmarks import commands, images
from benchmarks.datasets import write_zip
from benchmarks.measuring import measure
from benchmarks.report import table
from benchmarks.training_runs import Left, left, progress, states

REPORT: Final = commands.ROOT / "reports/benchmarks/training_kills.md"
IMAGES: Final = 500
SIGNALS: Final = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
CODES: Final = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}
"""What a run that was stopped ends with."""
SECONDS_BETWEEN_LOOKS: Final = 0.005
SMALL: Final = "--variant conv-deep --gpu 0 --wandb off --batch-size 4"
OPTIONS: Final = (
    f"{SMALL} --head-epochs 40 --epochs 4 --dropout 0.2 --ema 0.9 --mixup 0.2 --flip --early-stopping 20 "
    "--save-every 0.001 --keep-checkpoints 3"
)
"""Two phases, chance in each, averages of the weights, and a state every 60 ms."""


@dataclass(frozen=True)
class Stop:
    """One stop."""

    signal: signal.Signals
    code: int
    """What the process ended with; 0: it was done before."""
    reached: str
    """Where the newest state was when it was dead."""

    @property
    def well(self) -> bool:
        """Whether it ended as it should; before Python has found our code, signals end it as they end all."""
        return self.code in (0, CODES[self.signal], -self.signal)


@dataclass(frozen=True)
class Stopped:
    """A run that was stopped until it ended."""

    stops: Sequence[Stop]
    same: bool
    """Whether it came to what an undisturbed run comes to."""


class TrainingError(RuntimeError):
    """A command failed though nobody stopped it."""


@dataclass(frozen=True)
class Trial:
    """The training that is stopped, and what it comes to when nobody does."""

    command: Sequence[str]
    cpu: float
    """Seconds."""
    expected: Left


def prepare(work: Path) -> Trial:
    """Make a data set and weights to begin with, and train undisturbed."""
    archive, interim, processed = work / "raw.zip", work / "interim", work / "processed"
    write_zip(archive, images.varied(images.small(None), IMAGES))
    _finish(commands.process_command(archive, interim))
    _finish(commands.build_command(interim, processed, "--shards", 3, "--image-size", 16))
    _finish(_train_command(processed, work / "base", f"{SMALL} --epochs 1"))
    command = _train_command(processed, work / "run", f"{OPTIONS} --weights {work / 'base'}")
    cost = measure(command, environment=commands.ENVIRONMENT)
    return Trial(command, cost.cpu, left(work / "run"))


def stop_until_done(trial: Trial, output: Path, draw: random.Random) -> Stopped:
    """Start the training anew until it ends by itself, and compare."""
    shutil.rmtree(output)
    stops = []
    while not (output / "bundle.json").exists():
        stops.append(_stop(trial, output, draw))
    return Stopped(stops, left(output) == trial.expected)


def _stop(trial: Trial, output: Path, draw: random.Random) -> Stop:
    process = subprocess.Popen(
        trial.command,
        env={**os.environ, **commands.ENVIRONMENT},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    chosen, moment = draw.choice(SIGNALS), draw.uniform(0, trial.cpu)
    while process.poll() is None and _cpu_seconds(process.pid) < moment:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    if process.poll() is None:
        process.send_signal(chosen)
    _, said = process.communicate(timeout=300)
    if process.returncode not in (0, CODES[chosen], -chosen):
        raise TrainingError(said.strip()[-1000:])
    return Stop(chosen, process.returncode, _where(output))


def _cpu_seconds(pid: int) -> float:
    # Fields 14 and 15: the user's and the system's. The second is a name in brackets, with anything in it.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _where(output: Path) -> str:
    saved = states(output)
    if not saved:
        return "nothing saved"
    reached = progress(saved[0])
    phase = ("the head", "the fine-tuning")[reached["phase"]]
    return f"{phase}, {'in an epoch' if reached['step'] else 'between two epochs'}"


def _train_command(data: Path, output: Path, options: str) -> list[str]:
    places = ["--input", str(data), "--output", str(output)]
    return [commands.PYTHON, "-m", "models.cnn.train_multi_gpu", *places, *options.split()]


def _finish(command: Sequence[str]) -> None:
    done = subprocess.run(
        command, env={**os.environ, **commands.ENVIRONMENT}, capture_output=True, text=True, timeout=600
    )
    if done.returncode:
        raise TrainingError(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")


def run(count: int, seed: int, work: Path) -> Iterator[Stopped]:
    """Yield runs, until `count` stops came before the run was done."""
    draw = random.Random(seed)  # noqa: S311
    trial = prepare(work)
    while count > 0:
        stopped = stop_until_done(trial, work / "run", draw)
        yield stopped
        count -= sum(stop.code != 0 for stop in stopped.stops)


def main(
    count: Annotated[int, typer.Option("--kills", min=1, help="How many stops at least.")] = 20,
    seed: Annotated[int, typer.Option(help="Another seed, other moments.")] = 0,
) -> None:
    """Stop, start again and compare; writes reports/benchmarks/training_kills.md."""
    runs = []
    with tempfile.TemporaryDirectory(prefix="chrysalis-train-kills-") as folder:
        for stopped in run(count, seed, Path(folder)):
            runs.append(stopped)
            typer.echo(stopped, err=True)
    text = report(runs, seed)
    REPORT.write_text(text)
    typer.echo(text)
    if not all(stopped.same and all(stop.well for stop in stopped.stops) for stopped in runs):
        raise typer.Exit(1)


def report(runs: Sequence[Stopped], seed: int) -> str:
    """The page."""
    stops = [stop for stopped in runs for stop in stopped.stops if stop.code]
    kinds = sorted({(stop.reached, stop.signal.name) for stop in stops})
    rows = []
    for reached, name in kinds:
        mine = [stop for stop in stops if (stop.reached, stop.signal.name) == (reached, name)]
        codes = " ".join(map(str, sorted({stop.code for stop in mine})))
        rows.append([reached, name, str(len(mine)), codes])
    same = sum(stopped.same for stopped in runs)
    lines = [
        "# Trainings stopped and started again",
        "",
        f"`make bench-train-kills` wrote this: {len(stops)} stops (seed {seed}) at random moments of "
        f"{len(runs)} runs of one command, from its start to its export; each was started again until it "
        f"ended by itself. It trains a small network (`models.cnn`, `{OPTIONS}`, with weights of before) on "
        f"{IMAGES} images, on the CPU. The same: every bit of the newest state (weights, optimizer, "
        "moving averages, seeds) and of the best weights, every figure of the history that no clock decides, "
        "and the bundle's metrics equal those of a run that nobody stopped.",
        "",
        table(["the newest state behind the stop", "signal", "stops", "exit codes"], rows),
        "",
        f"**{same} of {len(runs)}** runs ended the same.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    typer.run(main)
