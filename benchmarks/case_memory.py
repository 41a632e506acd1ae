"""Ten times the images, the same memory."""

from pathlib import Path
from typing import Final

from benchmarks import commands, rounds
from benchmarks.case_sharding import QUALITY, SHARDS
from benchmarks.datasets import write_zip
from benchmarks.images import Named, varied
from benchmarks.measuring import Measured, measure
from benchmarks.report import MB, Section, Target, each, table
from benchmarks.rounds import Trial

SIZE: Final = 28
"""Not the images' own: every one is decoded and encoded again."""

STEPS: Final = ("process", "build_records")


def run(small: list[Named], few: int, many: int, repeats: int, work: Path) -> Section:
    """Both commands on `few` and on `many` images of one zip each."""
    trials: dict[str, Trial] = {}
    for count in (few, many):
        archive, interim = work / f"{count}.zip", work / f"interim-{count}"
        write_zip(archive, varied(small, count))
        measure(commands.process_command(archive, interim), environment=commands.ENVIRONMENT)
        trials |= pair(archive, interim, count)
    sampled = rounds.rotate(trials, repeats, work, memory=True)
    about = (
        f"Small images in one zip, no two alike (turned, mirrored and laid over each other), with {SHARDS} "
        f"shards a split, re-encoded at {SIZE}x{SIZE}, {commands.WORKERS} processes. Peaks of all processes "
        "together; seconds with the sampling in them."
    )
    targets = [
        Target(
            f"{step}, peak memory at {many:,} images over that at {few:,}",
            rounds.pss(sampled[f"{step}, {many:,}"]) / rounds.pss(sampled[f"{step}, {few:,}"]),
            1.1,
            at_least=False,
        )
        for step in STEPS
    ]
    return Section("Memory and the number of images", [about, peaks_table(sampled)], targets)


def pair(archive: Path, interim: Path, count: int) -> dict[str, Trial]:
    """Both commands on one archive."""
    options = ("--image-size", SIZE, "--resize", "crop", "--quality", QUALITY, "--shards", SHARDS)
    return {
        f"process, {count:,}": Trial(
            lambda output: commands.process_command(archive, output),
            commands.processed_images,
            count,
            commands.ENVIRONMENT,
        ),
        f"build_records, {count:,}": Trial(
            lambda output: commands.build_command(interim, output, *options),
            commands.tfrecords,
            count,
            commands.ENVIRONMENT,
        ),
    }


def peaks_table(sampled: dict[str, list[Measured]]) -> str:
    """Peaks of every run."""
    rows = [
        [
            name,
            f"{rounds.pss(runs) / MB:.1f}",
            each((run.pss / MB for run in runs), 1),
            f"{rounds.rss(runs) / MB:.0f}",
            each((run.wall for run in runs), 1),
            each((run.cpu for run in runs), 1),
        ]
        for name, runs in sorted(sampled.items(), key=lambda item: item[0].startswith("build"))
    ]
    return table(["command, images", "peak sum of PSS, MB", "each", "of RSS, MB", "wall s", "CPU s"], rows)
