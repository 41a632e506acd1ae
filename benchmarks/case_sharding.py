"""Images in class folders to shards: ours, three peers and the limit."""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final

from benchmarks import commands, rounds
from benchmarks.commands import CONTENDERS, PEERS, PYTHON, WORKERS
from benchmarks.datasets import DataSet, write
from benchmarks.images import Named, repeated
from benchmarks.measuring import Measured
from benchmarks.report import MB, Section, Target, each, table
from benchmarks.rounds import Trial

SHARDS: Final = 8
QUALITY: Final = 90
LONGER: Final = 4
"""Times the images, in the runs that tell the start-up from the rate."""

OURS: Final = "build_records"
LIMIT: Final = "bare Pillow loop"
TF_DATA: Final = "tf.data script"
IMG2DATASET: Final = "img2dataset"
BEAM: Final = "Beam DirectRunner"


@dataclass(frozen=True)
class Contender:
    """Somebody who makes shards of a data set's images at a size."""

    command: Callable[[DataSet, int, Path], list[str]]
    count: Callable[[Path], int]
    environment: dict[str, str] = field(default_factory=dict)

    def trial(self, data: DataSet, size: int) -> Trial:
        """Its work on a data set."""
        return Trial(
            lambda output: self.command(data, size, output), self.count, data.images, self.environment
        )


def ours(data: DataSet, size: int, output: Path) -> list[str]:
    """`build_records`, on what `process` left."""
    options = ["--image-size", size, "--resize", "crop", "--quality", QUALITY, "--shards", SHARDS]
    return commands.build_command(data.interim, output, *options)


def script(
    python: str | Path, name: str, *, shards: bool = True
) -> Callable[[DataSet, int, Path], list[str]]:
    """One of the scripts of `contenders/`."""

    def command(data: DataSet, size: int, output: Path) -> list[str]:
        line = [python, CONTENDERS / name, data.listing, output]
        options = {"--size": size, "--quality": QUALITY, "--workers": WORKERS}
        options |= {"--shards": SHARDS} if shards else {}
        return [str(word) for word in [*line, *chain.from_iterable(options.items())]]

    return command


def img2dataset(data: DataSet, size: int, output: Path) -> list[str]:
    """Its own command line on file:// URLs, without the hashes and EXIF tables that it can leave out."""
    options = {
        "url_list": data.urls,
        "input_format": "txt",
        "output_folder": output,
        "output_format": "webdataset",
        "processes_count": WORKERS,
        "thread_count": 4,
        "image_size": size,
        "resize_mode": "center_crop",
        "encode_quality": QUALITY,
        "number_sample_per_shard": math.ceil(data.images / SHARDS),
        "compute_hash": None,
        "extract_exif": False,
        "enable_wandb": False,
    }
    return [str(PEERS / "img2dataset"), *(f"--{key}={value}" for key, value in options.items())]


# albumentations asks the internet for a newer version of itself: neither our time nor its own.
PEERS_ENVIRONMENT: Final = {"PYTHONPATH": "", "NO_ALBUMENTATIONS_UPDATE": "1"}

CONTESTANTS: Final = {
    OURS: Contender(ours, commands.tfrecords, commands.ENVIRONMENT),
    LIMIT: Contender(script(PYTHON, "bare_pillow.py", shards=False), commands.jpegs),
    TF_DATA: Contender(script(PEERS / "python", "tf_data.py"), commands.tfrecords, PEERS_ENVIRONMENT),
    IMG2DATASET: Contender(img2dataset, commands.tar_members, PEERS_ENVIRONMENT),
    BEAM: Contender(script(PEERS / "python", "beam_direct.py"), commands.tfrecords, PEERS_ENVIRONMENT),
}


@dataclass(frozen=True)
class Results:
    """Of one contender."""

    whole: list[Measured]
    longer: list[Measured]
    memory: list[Measured]
    images: int
    more_images: int

    @property
    def rate(self) -> float:
        """Images a second of the whole command."""
        return self.images / rounds.wall(self.whole)

    @property
    def rates_after_start(self) -> list[float]:
        """Images a second without the start-up."""
        return rounds.rates_after_start(self.whole, self.images, self.longer, self.more_images)

    @property
    def rate_after_start(self) -> float:
        """The median of them."""
        return statistics.median(self.rates_after_start)

    @property
    def cpu_after_start(self) -> float:
        """CPU seconds an image without the start-up."""
        return rounds.cpu_after_start(self.whole, self.images, self.longer, self.more_images)


def run(
    title: str, images: list[Named], count: int, size: int, repeats: int, work: Path, *, with_targets: bool
) -> Section:
    """Race all contenders on the same images, repeated as needed."""
    whole = write(work / "whole", repeated(images, count))
    longer = write(work / "longer", repeated(images, count * LONGER))
    results = race(whole, longer, size, repeats, work)
    kilobytes = sum(len(data) for _, data in images) / len(images) / 1000
    about = (
        f"{whole.images:,} images of {kilobytes:.1f} KB on average, centre crop to {size}x{size}, JPEG "
        f"quality {QUALITY}, {SHARDS} shards, {WORKERS} processes. The rate after start-up is that of the "
        f"further images of {longer.images:,}: {longer.images - whole.images:,} over what those "
        "runs took longer. CPU an image is found likewise."
    )
    blocks = [about, whole_table(results), after_table(results), memory_table(results)]
    return Section(title, blocks, targets(results) if with_targets else ())


def race(whole: DataSet, longer: DataSet, size: int, repeats: int, work: Path) -> dict[str, Results]:
    """Whole and longer runs in the same rounds, then the whole runs again with their memory sampled."""
    wholes = {name: contender.trial(whole, size) for name, contender in CONTESTANTS.items()}
    longers = {f"{name}, longer": contender.trial(longer, size) for name, contender in CONTESTANTS.items()}
    timed = rounds.rotate(wholes | longers, repeats, work)
    sampled = rounds.rotate(wholes, repeats, work, memory=True)
    return {
        name: Results(timed[name], timed[f"{name}, longer"], sampled[name], whole.images, longer.images)
        for name in CONTESTANTS
    }


def whole_table(results: dict[str, Results]) -> str:
    """Seconds of the whole commands."""
    fastest = results[OURS].rate
    rows = [
        [
            name,
            f"{result.rate:.0f}",
            f"{fastest / result.rate:.2f}x",
            f"{rounds.wall(result.whole):.2f}",
            each(run.wall for run in result.whole),
            f"{rounds.cpu(result.whole):.2f}",
            each(run.cpu for run in result.whole),
        ]
        for name, result in results.items()
    ]
    return table(
        ["whole command", "images/s", "ours is", "wall s", "each", "CPU s, all processes", "each"], rows
    )


def after_table(results: dict[str, Results]) -> str:
    """Start-up, and the rates without it."""
    ours = results[OURS].rate_after_start
    rows = [
        [
            name,
            f"{result.rate_after_start:.0f}",
            f"{ours / result.rate_after_start:.2f}x",
            each(result.rates_after_start, 0),
            each(run.wall for run in result.longer),
            each(run.cpu for run in result.longer),
            f"{result.cpu_after_start * 1000:.2f}",
            f"{rounds.wall(result.whole) - result.images / result.rate_after_start:.2f}",
        ]
        for name, result in results.items()
    ]
    header = [
        "after start-up",
        "images/s",
        "ours is",
        "each",
        "longer run, wall s",
        "CPU s",
        "CPU ms an image",
        "start-up, wall s",
    ]
    return table(header, rows)


def memory_table(results: dict[str, Results]) -> str:
    """Peaks of all processes together."""
    rows = [
        [
            name,
            f"{rounds.pss(result.memory) / MB:.0f}",
            each((run.pss / MB for run in result.memory), 0),
            f"{rounds.rss(result.memory) / MB:.0f}",
            f"{rounds.sampled_every(result.memory) * 1000:.0f}",
        ]
        for name, result in results.items()
    ]
    return table(["peak memory", "sum of PSS, MB", "each", "sum of RSS, MB", "ms between samples"], rows)


def targets(results: dict[str, Results]) -> list[Target]:
    """What the project wants of these figures."""
    mine = results[OURS]

    def whole(name: str, bound: float) -> Target:
        return Target(f"images/s of the whole command, against {name}", mine.rate / results[name].rate, bound)

    def after(name: str, bound: float) -> Target:
        ratio = mine.rate_after_start / results[name].rate_after_start
        return Target(f"images/s after start-up, against {name}", ratio, bound)

    memory = rounds.pss(mine.memory) / MB
    return [
        whole(IMG2DATASET, 3),
        whole(TF_DATA, 3),
        whole(BEAM, 2.5),
        after(LIMIT, 1.3),
        after(TF_DATA, 1),
        Target("peak memory of all processes while sharding", memory, 120, at_least=False, unit="MB"),
    ]
