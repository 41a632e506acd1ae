"""A zip read in place, against the same files on disk and against extracting it first."""

import shlex
from pathlib import Path
from typing import Final

from benchmarks import commands, rounds
from benchmarks.case_sharding import QUALITY, SHARDS
from benchmarks.commands import PYTHON
from benchmarks.datasets import DataSet, write, write_zip
from benchmarks.images import Named
from benchmarks.measuring import Measured, measure
from benchmarks.report import Section, Target, each, table
from benchmarks.rounds import Trial

SIZE: Final = 224
DISK: Final = "files on disk"
ZIP: Final = "zip in place"
EXTRACTED: Final = "zip extracted first"
OPTIONS: Final = ("--image-size", SIZE, "--resize", "crop", "--quality", QUALITY, "--shards", SHARDS)


def run(images: list[Named], repeats: int, work: Path) -> Section:
    """Both commands on all three."""
    data = write(work / "disk", images)
    write_zip(data.zip, images)
    zipped = work / "interim-of-zip"
    measure(commands.process_command(data.zip, zipped), environment=commands.ENVIRONMENT)
    timed = rounds.rotate(process_trials(data) | build_trials(data, zipped), repeats, work)
    blocks = [
        f"{data.images:,} photos, the same {SIZE}x{SIZE} shards as above; whole commands. The zip stores its "
        "members, as photo zips do; extracting is `python -m zipfile -e`, into the page cache.",
        *(step_table(step, timed, data.images) for step in ("process", "build_records")),
    ]
    targets = [
        Target(
            f"{step} on a zip in place, time over files on disk",
            rounds.wall(timed[f"{step}, {ZIP}"]) / rounds.wall(timed[f"{step}, {DISK}"]),
            1.1,
            at_least=False,
        )
        for step in ("process", "build_records")
    ]
    return Section("A zip read in place", blocks, targets)


def process_trials(data: DataSet) -> dict[str, Trial]:
    """Check and split."""

    def extracted(output: Path) -> list[str]:
        folder = output.parent / "extracted"
        return after_extraction(data.zip, folder, commands.process_command(folder, output))

    lines = {
        DISK: lambda output: commands.process_command(data.raw, output),
        ZIP: lambda output: commands.process_command(data.zip, output),
        EXTRACTED: extracted,
    }
    return {
        f"process, {name}": Trial(line, commands.processed_images, data.images, commands.ENVIRONMENT)
        for name, line in lines.items()
    }


def build_trials(data: DataSet, zipped: Path) -> dict[str, Trial]:
    """Build the shards, from the tables of each kind of input."""

    def extracted(output: Path) -> list[str]:
        folder = output.parent / "extracted"
        build = commands.build_command(data.interim, output, *OPTIONS, "--raw", folder)
        return after_extraction(data.zip, folder, build)

    lines = {
        DISK: lambda output: commands.build_command(data.interim, output, *OPTIONS),
        ZIP: lambda output: commands.build_command(zipped, output, *OPTIONS),
        EXTRACTED: extracted,
    }
    return {
        f"build_records, {name}": Trial(line, commands.tfrecords, data.images, commands.ENVIRONMENT)
        for name, line in lines.items()
    }


def after_extraction(archive: Path, folder: Path, command: list[str]) -> list[str]:
    """A shell's line that extracts an archive and then runs a command."""
    extract = shlex.join([PYTHON, "-m", "zipfile", "-e", str(archive), str(folder)])
    return ["sh", "-c", f"{extract} && exec {shlex.join(command)}"]


def step_table(step: str, timed: dict[str, list[Measured]], images: int) -> str:
    """Seconds of one command on all three."""
    disk = rounds.wall(timed[f"{step}, {DISK}"])
    rows = []
    for name in (DISK, ZIP, EXTRACTED):
        runs = timed[f"{step}, {name}"]
        seconds = rounds.wall(runs)
        rows.append(
            [
                name,
                f"{images / seconds:.0f}",
                f"{seconds / disk:.2f}x",
                f"{seconds:.2f}",
                each(run.wall for run in runs),
                f"{rounds.cpu(runs):.2f}",
                each(run.cpu for run in runs),
            ]
        )
    header = [f"`{step}` on", "images/s", "time over disk", "wall s", "each", "CPU s, all processes", "each"]
    return table(header, rows)
