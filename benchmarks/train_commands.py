"""The trainer's command, the contenders' commands, and their laps as a table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.commands import CONTENDERS, ENVIRONMENT, PYTHON
from benchmarks.report import each, table
from benchmarks.train_stopwatch import Lap, cpu, wall

QUIET: Final = {**ENVIRONMENT, "TF_CPP_MIN_LOG_LEVEL": "3"}
BATCH: Final = 64
PHOTO_SIZE: Final = 224
SMALL_SIZE: Final = 32


def train_command(shards: Path, output: Path, *options: object) -> list[str]:
    """Ours: train VGG16; without augmentation, so that nobody else has less to do."""
    places = ["--input", str(shards), "--output", str(output)]
    command = [PYTHON, "-m", "models.vgg16.train_multi_gpu", *places, "--crop-scale", "1"]
    return [*command, "--batch-size", str(BATCH), *map(str, options)]


def contender_command(script: str, *arguments: object) -> list[str]:
    """A script of benchmarks/contenders."""
    return [PYTHON, str(CONTENDERS / script), *map(str, arguments)]


def laps_table(what: str, laps: Mapping[str, Sequence[Lap]], images: int, ours: str) -> str:
    """Seconds of each contender's laps, and how many times as fast ours is."""
    rows = [
        [
            name,
            f"{images / wall(some):.1f}",
            f"{wall(some) / wall(laps[ours]):.2f}x",
            f"{cpu(some) / cpu(laps[ours]):.2f}x",
            f"{wall(some):.2f}",
            each(lap.wall for lap in some),
            f"{cpu(some):.2f}",
            each(lap.cpu for lap in some),
        ]
        for name, some in laps.items()
    ]
    header = [
        what,
        "images/s",
        "ours is faster, wall",
        "CPU",
        "wall s",
        "each",
        "CPU s, all processes",
        "each",
    ]
    return table(header, rows)
