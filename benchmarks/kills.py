"""`make bench-kills`: `process` and `build_records` killed at random moments, each run again, bytes compared.

Not a benchmark of speed: it shows how often a kill went well, into reports/benchmarks/kills.md. Seeded; the
moments are drawn over an undisturbed run's time, start-up included.
"""

import contextlib
import hashlib
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from benchmarks import commands, images
from benchmarks.datasets import write_zip
from benchmarks.measuring import descendants

REPORT: Final = commands.ROOT / "reports/benchmarks/kills.md"
IMAGES: Final = 1200
SHARDS: Final = 12

Victim = Literal["the command", "a worker", "all processes"]
VICTIMS: Final[tuple[Victim, ...]] = ("the command", "a worker", "all processes")


@dataclass(frozen=True)
class Stage:
    """A command, and what it leaves when nobody disturbs it."""

    name: str
    command: tuple[str, ...]
    output: Path
    seconds: float
    digest: str


@dataclass(frozen=True)
class Kill:
    """One kill, and what the folder held afterwards and after the next run."""

    stage: str
    victim: Victim
    finished: bool
    """Whether the command was done before."""
    begun: int
    """Files under final names when it was dead."""
    same: bool
    """Whether the run after it left the very bytes of an undisturbed one, and nothing else."""


class KillsError(RuntimeError):
    """A command failed though nobody killed it."""


def prepare(work: Path) -> list[Stage]:
    """Make a data set and run both stages undisturbed."""
    archive = work / "raw.zip"
    write_zip(archive, images.varied(images.small(None), IMAGES))
    interim, processed = work / "interim", work / "processed"
    build = commands.build_command(interim, processed, "--shards", SHARDS, "--image-size", 48)
    found = []
    for name, command, output in (
        ("process", commands.process_command(archive, interim), interim),
        ("build_records", build, processed),
    ):
        began = time.monotonic()
        _finish(command)
        seconds = time.monotonic() - began
        found.append(Stage(name, tuple(command), output, seconds, digest(output)))
    return found


def kill(stage: Stage, draw: random.Random) -> Kill:
    """Start a stage in an empty folder, kill it, run it again and compare."""
    shutil.rmtree(stage.output, ignore_errors=True)
    victim = draw.choice(VICTIMS)
    process = subprocess.Popen(
        stage.command,
        env={**os.environ, **commands.ENVIRONMENT},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    time.sleep(draw.uniform(0, stage.seconds))
    finished = process.poll() is not None
    _kill(process, victim, draw)
    process.wait()
    begun = len(_files(stage.output))
    _finish(stage.command)
    return Kill(stage.name, victim, finished, begun, digest(stage.output) == stage.digest)


def digest(folder: Path) -> str:
    """sha256 over every file of a folder, hidden ones too."""
    total = hashlib.sha256()
    for path in _files(folder):
        total.update(f"{path.relative_to(folder)}\0".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _kill(process: subprocess.Popen[bytes], victim: Victim, draw: random.Random) -> None:
    if process.poll() is not None:
        return
    workers = descendants(process.pid)
    if victim == "all processes":
        os.killpg(process.pid, signal.SIGKILL)
    elif victim == "a worker" and workers:
        with contextlib.suppress(ProcessLookupError):  # it was quicker
            os.kill(draw.choice(workers), signal.SIGKILL)
    else:
        process.kill()


def _finish(command: tuple[str, ...] | list[str]) -> None:
    done = subprocess.run(
        command, env={**os.environ, **commands.ENVIRONMENT}, capture_output=True, text=True, timeout=300
    )
    if done.returncode:
        raise KillsError(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")


def run(count: int, seed: int, work: Path) -> Iterator[Kill]:
    """Yield kills, the stages in turn, until `count` of them came before the command was done."""
    draw = random.Random(seed)  # noqa: S311
    for stage in cycle(prepare(work)):
        found = kill(stage, draw)
        yield found
        count -= not found.finished
        if not count:
            return


def main(
    count: Annotated[int, typer.Option("--kills", min=1, help="How many.")] = 200,
    seed: Annotated[int, typer.Option(help="Another seed, other moments.")] = 0,
) -> None:
    """Kill, run again and compare; writes reports/benchmarks/kills.md."""
    kills = []
    with tempfile.TemporaryDirectory(prefix="chrysalis-kills-") as folder:
        for found in run(count, seed, Path(folder)):
            kills.append(found)
            if not found.same:
                typer.echo(f"other bytes after kill {len(kills)}: {found}", err=True)
    text = report(kills, seed)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(text)
    typer.echo(text)
    if not all(found.same for found in kills):
        raise typer.Exit(1)


def report(kills: list[Kill], seed: int) -> str:
    """The page."""
    lines = [
        "# Killed and run again",
        "",
        f"`make bench-kills` wrote this: {len(kills)} kills (SIGKILL, seed {seed}) at random moments of "
        f"`process` and `build_records` over {IMAGES:,} images and {SHARDS} shards a split, each followed "
        "by a run of the same command. The same bytes: every file of the folder equals that of an "
        "undisturbed run, and there is no other file.",
        "",
        "| stage | killed | kills | of these too late | others, with final names there | the same bytes |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    groups = Counter((found.stage, found.victim) for found in kills)
    for (stage, victim), number in sorted(groups.items()):
        mine = [found for found in kills if (found.stage, found.victim) == (stage, victim)]
        counts = [
            sum(found.finished for found in mine),
            sum(not found.finished and found.begun > 0 for found in mine),
            sum(found.same for found in mine),
        ]
        lines.append(f"| {stage} | {victim} | {number} | " + " | ".join(map(str, counts)) + " |")
    same = sum(found.same for found in kills)
    lines += ["", f"**{same} of {len(kills)}** ended with the same bytes.", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    typer.run(main)
