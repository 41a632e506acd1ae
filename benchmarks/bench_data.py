"""`make bench-data`: the data stages measured against their peers and limits; reports/benchmarks/data.md.

Every figure is of this run, on this machine. Photos and small images come from zips that are named, else they
are made up.
"""

import sys
import tempfile
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from benchmarks import case_memory, case_passing, case_reading, case_sharding, case_transfers, images, machine
from benchmarks.commands import PEERS
from benchmarks.measuring import SECONDS_BETWEEN_SAMPLES, MeasuringError
from benchmarks.report import Section, targets_table
from benchmarks.rounds import WrongOutputError

REPORT: Final = Path(__file__).resolve().parent.parent / "reports/benchmarks/data.md"
PHOTO_SIZE: Final = 224
SMALL_SIZE: Final = 64

HOW: Final = """\
`make bench-data` wrote this: every figure of one run on one machine, {repeats} rounds, whose order
rotates; medians, and every repeat beside them in the order of its measurement. Ratios travel; absolute
figures don't. Seconds are wall clock and CPU (user and system, of all processes). Memory is the peak,
over samples {milliseconds} ms apart, of the sum over all processes of what /proc/*/smaps_rollup says, in
runs of their own, since sampling takes time. Inputs lie in the page cache; the images of an output are
counted after every run."""
WHO: Final = """\
The contenders' scripts are in benchmarks/contenders, their versions in benchmarks/peers/Pipfile.lock.
`build_records` works on what `process` left (its own rate stands under *A zip read in place*), checks
every image's sha256 and reads each shard back; its eight shards are of each split. The bare loop and Beam
write JPEGs without labels. img2dataset writes its webdataset form: its TFRecords need
tensorflow-io, and TensorFlow in every process."""


class Case(StrEnum):
    """What can be measured alone."""

    SHARDING = "sharding"
    SMALL = "small"
    READING = "reading"
    PASSING = "passing"
    TRANSFERS = "transfers"
    MEMORY = "memory"


def main(
    only: Annotated[
        list[Case] | None, typer.Option(help="Measure this alone and write no report; repeatable.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Rounds; the report wants 3 or more.")] = 3,
    photos: Annotated[Path | None, typer.Option(help="A zip of photos in class folders.")] = None,
    small: Annotated[Path | None, typer.Option(help="A zip of small images in class folders.")] = None,
    photo_count: Annotated[int, typer.Option(min=100, help="Photos to shard.")] = 1000,
    small_count: Annotated[int, typer.Option(min=200, help="Small images to shard.")] = 6000,
    few: Annotated[int, typer.Option(min=200, help="Images of the smaller memory run.")] = 10_000,
    many: Annotated[int, typer.Option(min=200, help="Images of the larger memory run.")] = 100_000,
) -> None:
    """Measure the data stages; without --only, write reports/benchmarks/data.md."""
    if not (PEERS / "python").exists():
        sys.exit("the peers' environment, benchmarks/peers/.venv, isn't there: make bench-data sets it up")
    some_photos, some_small = images.photos(photos), images.small(small)

    def sharding(work: Path) -> Section:
        return case_sharding.run(
            "Sharding photos", some_photos, photo_count, PHOTO_SIZE, repeats, work, with_targets=True
        )

    def sharding_small(work: Path) -> Section:
        return case_sharding.run(
            "Sharding small images", some_small, small_count, SMALL_SIZE, repeats, work, with_targets=False
        )

    cases: dict[Case, Callable[[Path], Section]] = {
        Case.SHARDING: sharding,
        Case.SMALL: sharding_small,
        Case.READING: lambda work: case_reading.run(
            list(images.repeated(some_photos, photo_count)), repeats, work
        ),
        Case.PASSING: lambda work: case_passing.run(some_photos, photo_count, repeats, work),
        Case.MEMORY: lambda work: case_memory.run(some_small, few, many, repeats, work),
        Case.TRANSFERS: lambda _: case_transfers.run(repeats),
    }
    sections = [measured(case, cases[case]) for case in only or Case]
    made_up = [what for what, given in (("photos", photos), ("small images", small)) if given is None]
    targets = targets_table(target for section in sections for target in section.targets)
    sys.stdout.write(f"{targets}\n\n{machine.describe()}\n")
    if not only:
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text(document(sections, repeats, made_up))
        sys.stderr.write(f"wrote {REPORT.relative_to(REPORT.parent.parent.parent)}\n")


def measured(case: Case, run: Callable[[Path], Section]) -> Section:
    """Run a case in a folder of its own, and say what came out: a later one may fail."""
    sys.stderr.write(f"{case}\n")
    with tempfile.TemporaryDirectory(prefix="chrysalis-bench-") as work:
        section = run(Path(work))
    sys.stdout.write(section.markdown() + "\n\n")
    sys.stdout.flush()
    return section


def document(sections: list[Section], repeats: int, made_up: list[str]) -> str:
    """The report."""
    targets = [target for section in sections for target in section.targets]
    origin = f" Made up, as no zip was given: {', '.join(made_up)}." if made_up else ""
    how = HOW.format(repeats=repeats, milliseconds=round(SECONDS_BETWEEN_SAMPLES * 1000))
    blocks = [
        "# The data stages, measured",
        how + origin,
        machine.describe(),
        "## Targets",
        targets_table(targets),
    ]
    blocks += [section.markdown() for section in sections] + ["## Who was measured", WHO]
    return "\n\n".join(blocks) + "\n"


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        app()
    except (MeasuringError, WrongOutputError) as error:
        sys.exit(f"make bench-data: {error}")
