"""Augmented batches against decoding alone and Keras' folder loader; what a shuffle buffer's entry takes."""

import statistics
from pathlib import Path
from typing import Final

from benchmarks import rounds, train_data
from benchmarks.images import Named
from benchmarks.report import MB, Section, Target, each, table
from benchmarks.train_commands import BATCH, PHOTO_SIZE, QUIET, contender_command, laps_table
from benchmarks.train_data import Records
from benchmarks.train_stopwatch import Contender, between, wall, watch
from contracts.dataset import ShardIndex

RECORD_SIZE: Final = 256
SCRIPT: Final = "input_pipelines.py"
PASSES: Final = 3
OURS: Final = "ours, crops of 80% and more (the default)"
SMALL_CROPS: Final = "ours, crops of 8% and more (Inception's)"
DECODING: Final = "decoding alone"
FOLDER: Final = "Keras' folder loader"
SHORT: Final = 0.25
"""Of the records, in the small buffer."""


def run(photos: list[Named], count: int, repeats: int, work: Path) -> Section:
    """`count` photos, whose shorter sides are a little longer than the crops."""
    images = {"train": count, "val": 8, "test": 8}
    data = train_data.write(work / "wide", photos, images, "--image-size", RECORD_SIZE)
    squares = train_data.write(
        work / "squares", photos, images, "--image-size", PHOTO_SIZE, "--resize", "crop"
    )
    runs = rounds.rotate(contenders(data), repeats, work)
    laps = {name: [lap for run in some for lap in run.laps] for name, some in runs.items()}
    about = (
        f"{count:,} photos as records whose shorter side is {RECORD_SIZE}, to batches of {BATCH} at "
        f"{PHOTO_SIZE}x{PHOTO_SIZE}: decoded and cut to the centre, against a random crop resized, mirrored "
        "half of the time, shuffled. Keras' loader reads the photos themselves, resizes and mirrors. Passes "
        "over all images, behind a first one."
    )
    targets = [
        Target(f"{mine}: speed over {name}", wall(laps[name]) / wall(laps[mine]), bound)
        for name, bound in ((DECODING, 0.45), (FOLDER, 2))
        for mine in (SMALL_CROPS, OURS)
    ]
    memory, entry = buffers(squares, count, repeats)
    blocks = [about, laps_table("a pass", laps, count, OURS), memory]
    return Section("Input", blocks, [*targets, entry])


def contenders(data: Records) -> dict[str, Contender]:
    """Who makes batches."""

    def by(how: str, place: Path, *options: object) -> Contender:
        common = ("--batch", BATCH, "--size", PHOTO_SIZE, "--passes", PASSES)
        command = contender_command(SCRIPT, how, place, *common, *options)
        return Contender(
            lambda _: command, ("pass", PASSES), lambda said: between(said, "begin", "pass")[1:], QUIET
        )

    return {
        OURS: by("ours", data.shards),
        SMALL_CROPS: by("ours", data.shards, "--crop-scale", 0.08),
        DECODING: by("decoding", data.shards),
        FOLDER: by("folder", data.raw / "train"),
    }


def buffers(data: Records, count: int, repeats: int) -> tuple[str, Target]:
    """What an entry of the shuffle buffer takes: the whole process with a long one against a short one."""
    short = max(1, round(count * SHORT))
    sizes = [(entries, filled(data, entries)) for _ in range(repeats) for entries in (short, count)]
    taken = {entries: [pss for held, pss in sizes if held == entries] for entries in (short, count)}
    entry = (statistics.median(taken[count]) - statistics.median(taken[short])) / (count - short)
    shards = ShardIndex.read(str(data.shards)).shards["train"]
    record = sum(shard.bytes for shard in shards) / sum(shard.examples for shard in shards)
    about = (
        "The memory (PSS) of a process at its first batch, when the shuffle buffer is full of records of "
        f"{PHOTO_SIZE}x{PHOTO_SIZE}: {record / 1000:.1f} KB on average, and as pixels they would be "
        f"{PHOTO_SIZE**2 * 3 / 1000:.0f} KB. What the further entries of the long buffer take is "
        f"{entry / 1000:.1f} KB each."
    )
    rows = [
        [f"{entries:,}", f"{statistics.median(some) / MB:.1f}", each((pss / MB for pss in some), 1)]
        for entries, some in taken.items()
    ]
    target = Target("an entry of the shuffle buffer", entry / 1000, 20, at_least=False, unit="KB")
    return f"{about}\n\n{table(['entries', 'MB', 'each'], rows)}", target


def filled(data: Records, entries: int) -> int:
    """Bytes of a process of ours whose buffer is full."""
    options = ("--batch", 1, "--size", PHOTO_SIZE, "--shuffle-buffer", entries)
    command = contender_command(SCRIPT, "buffer", data.shards, *options)
    return int(watch(command, ("filled", 1), QUIET)[-1].fields["pss"])
