"""Images that already fit, passed through untouched, against re-encoding the very same images."""

import io
import statistics
from collections import Counter
from pathlib import Path
from typing import Final

from PIL import Image

from benchmarks import commands, rounds
from benchmarks.case_sharding import LONGER, QUALITY, SHARDS
from benchmarks.datasets import DataSet, write
from benchmarks.images import Named, jpeg, repeated
from benchmarks.measuring import Measured
from benchmarks.report import Section, Target, each, table
from benchmarks.rounds import Trial

SIZE: Final = 224
SQUARES: Final = 4
"""Times as many squares as photos: they are smaller, and soon done."""

PASSED_SQUARES: Final = f"{SIZE}x{SIZE}, passed"
CODED_SQUARES: Final = f"{SIZE}x{SIZE}, to {SIZE - 1}x{SIZE - 1}"
PASSED_PHOTOS: Final = "photos, passed"
CODED_PHOTOS: Final = "photos, one pixel smaller"


def run(photos: list[Named], count: int, repeats: int, work: Path) -> Section:
    """Squares of 224 pixels kept and made 223; photos kept at their own size and made a pixel smaller."""
    shorter, alike = of_one_size(photos)
    squares = write_pair(work / "squares", [(name, square(data)) for name, data in photos], count * SQUARES)
    wholes = write_pair(work / "photos", alike, count)
    options = {
        PASSED_SQUARES: (squares, ("--image-size", SIZE, "--resize", "crop")),
        CODED_SQUARES: (squares, ("--image-size", SIZE - 1, "--resize", "crop")),
        PASSED_PHOTOS: (wholes, ("--image-size", shorter, "--resize", "shorter-side")),
        CODED_PHOTOS: (wholes, ("--image-size", shorter - 1, "--resize", "shorter-side")),
    }
    trials = {}
    for name, ((whole, longer), chosen) in options.items():
        trials[name] = trial(whole, *chosen)
        trials[f"{name}, longer"] = trial(longer, *chosen)
    timed = rounds.rotate(trials, repeats, work)
    rates = {
        name: rounds.rates_after_start(timed[name], whole.images, timed[f"{name}, longer"], longer.images)
        for name, ((whole, longer), _) in options.items()
    }
    costs = {
        name: rounds.cpu_after_start(timed[name], whole.images, timed[f"{name}, longer"], longer.images)
        for name, ((whole, longer), _) in options.items()
    }
    about = (
        f"RGB JPEGs twice over: the photos as {SIZE}x{SIZE} squares, {count * SQUARES:,} of them, and "
        f"{count:,} photos whose shorter side is {shorter} pixels; {LONGER} times as many in the longer "
        "runs. At the size that they have `build_records` passes their bytes; at one pixel less it decodes, "
        "resizes and encodes them. Rates after start-up, found as in the first case."
    )
    median = {name: statistics.median(values) for name, values in rates.items()}
    ratio = "passing through, rate after start-up over re-encoding the same"
    targets = [
        Target(f"{ratio} photos", median[PASSED_PHOTOS] / median[CODED_PHOTOS], 8),
        Target(f"{ratio} {SIZE}x{SIZE} squares", median[PASSED_SQUARES] / median[CODED_SQUARES], 8),
    ]
    return Section("Images that already fit", [about, rates_table(rates, costs, timed)], targets)


def of_one_size(photos: list[Named]) -> tuple[int, list[Named]]:
    """The commonest shorter side of the RGB photos, and the photos that have it."""
    sides = {name: shorter_side(data) for name, data in photos}
    commonest, _ = Counter(side for side in sides.values() if side).most_common(1)[0]
    return commonest, [(name, data) for name, data in photos if sides[name] == commonest]


def shorter_side(data: bytes) -> int | None:
    """In pixels; None for what isn't an upright RGB JPEG, which can't be passed."""
    with Image.open(io.BytesIO(data)) as image:
        if image.format != "JPEG" or image.mode != "RGB" or image.getexif().get(0x0112, 1) != 1:
            return None
        return min(image.size)


def square(data: bytes) -> bytes:
    """The centre square of a photo, as a JPEG that fits."""
    with Image.open(io.BytesIO(data)) as image:
        rgb = image.convert("RGB")
    side = min(rgb.size)
    left, top = (rgb.width - side) // 2, (rgb.height - side) // 2
    return jpeg(rgb.resize((SIZE, SIZE), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side)))


def write_pair(folder: Path, images: list[Named], count: int) -> tuple[DataSet, DataSet]:
    """The whole data set, and the longer one that tells the start-up from the rate."""
    longer = repeated(images, count * LONGER)
    return write(folder / "whole", repeated(images, count)), write(folder / "longer", longer)


def trial(data: DataSet, *options: object) -> Trial:
    """`build_records` with these options."""
    chosen = (*options, "--quality", QUALITY, "--shards", SHARDS)
    return Trial(
        lambda output: commands.build_command(data.interim, output, *chosen),
        commands.tfrecords,
        data.images,
        commands.ENVIRONMENT,
    )


def rates_table(
    rates: dict[str, list[float]], costs: dict[str, float], timed: dict[str, list[Measured]]
) -> str:
    """Rates after start-up, and the whole commands that they come from."""
    rows = [
        [
            name,
            f"{statistics.median(values):.0f}",
            each(values, 0),
            f"{costs[name] * 1000:.2f}",
            each(run.wall for run in timed[name]),
            each(run.cpu for run in timed[name]),
            each(run.wall for run in timed[f"{name}, longer"]),
            each(run.cpu for run in timed[f"{name}, longer"]),
        ]
        for name, values in rates.items()
    ]
    header = [
        "images",
        "images/s after start-up",
        "each",
        "CPU ms an image",
        "wall s",
        "CPU s",
        "longer run, wall s",
        "CPU s",
    ]
    return table(header, rows)
