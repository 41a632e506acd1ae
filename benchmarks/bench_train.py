"""`make bench-train`: the trainer measured against its peers and limits; reports/benchmarks/training.md.

Every figure is of this run, on this machine. Photos, small images and pretrained weights come from files that
are named; images are made up where none are.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from enum import StrEnum
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Annotated, Final

import typer

from benchmarks import (
    images,
    machine,
    train_features,
    train_gpu,
    train_head,
    train_input,
    train_loop,
    train_transfer,
)
from benchmarks.measuring import MeasuringError
from benchmarks.report import Section, targets_table
from benchmarks.rounds import WrongOutputError

REPORT: Final = Path(__file__).resolve().parent.parent / "reports/benchmarks/training.md"
PACKAGES: Final = ("keras", "numpy", "wandb", "tensorboard", "scikit-learn")

HOW: Final = """\
`make bench-train` wrote this: every figure of one run on one machine, {repeats} rounds, whose order
rotates; medians, and every repeat beside them in the order of its measurement. Ratios travel; absolute
figures don't. Each contender is a process of its own. It says when it has done something, and the moments
are taken by one clock for all, with the CPU seconds (user and system, of all its processes) until then;
imports and building the network lie before the first of them."""
WHO: Final = """\
The contenders' scripts are in benchmarks/contenders. They train the very network that the trainer trains,
which `models.vgg16` builds; all else in them is Keras, `tf.data` and TensorFlow."""


class Case(StrEnum):
    """What can be measured alone."""

    TRANSFER = "transfer"
    HEAD = "head"
    FEATURES = "features"
    LOOP = "loop"
    INPUT = "input"
    GPU = "gpu"


def main(
    only: Annotated[
        list[Case] | None, typer.Option(help="Measure this alone and write no report; repeatable.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Rounds; the report wants 3 or more.")] = 3,
    photos: Annotated[Path | None, typer.Option(help="A zip of photos in class folders.")] = None,
    small: Annotated[Path | None, typer.Option(help="A zip of small images in class folders.")] = None,
    weights: Annotated[
        Path | None, typer.Option(help="MobileNet's 0.25 published weights without the top.")
    ] = None,
    head_photos: Annotated[int, typer.Option(min=32, help="Photos under the head.")] = 256,
    loop_steps: Annotated[int, typer.Option(min=1, help="Batches of an epoch of the loop.")] = 24,
    loop_epochs: Annotated[int, typer.Option(min=1, help="Epochs of the loop that count.")] = 2,
    input_photos: Annotated[int, typer.Option(min=64, help="Photos to make batches of.")] = 3200,
    gpu_steps: Annotated[int, typer.Option(min=1, help="Batches of an epoch on a GPU.")] = 80,
) -> None:
    """Measure the trainer; without --only, write reports/benchmarks/training.md."""
    some_photos, some_small = images.photos(photos), images.small(small)
    cases: dict[Case, Callable[[Path], Section]] = {
        Case.HEAD: lambda work: train_head.run(some_photos, head_photos, repeats, work),
        Case.FEATURES: lambda work: train_features.run(some_small, weights, work),
        Case.LOOP: lambda work: train_loop.run(some_small, loop_steps, loop_epochs, repeats, work),
        Case.INPUT: lambda work: train_input.run(some_photos, input_photos, repeats, work),
        Case.TRANSFER: lambda work: train_transfer.run(some_small, weights, work),
        Case.GPU: lambda work: train_gpu.run(some_photos, gpu_steps, repeats, work),
    }
    sections = [measured(case, cases[case]) for case in only or Case]
    missing = [what for what, given in (("photos", photos), ("small images", small)) if given is None]
    sys.stdout.write(f"{targets_of(sections)}\n\n{described()}\n")
    if not only:
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text(document(sections, repeats, missing))
        sys.stderr.write(f"wrote {REPORT.relative_to(REPORT.parent.parent.parent)}\n")


def measured(case: Case, run: Callable[[Path], Section]) -> Section:
    """Run a case in a folder of its own, and say what came out: a later one may fail."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chrysalis-bench-") as work:
        section = run(Path(work))
    sys.stderr.write(f"{case}: {time.monotonic() - began:.0f} s\n")
    sys.stdout.write(section.markdown() + "\n\n")
    sys.stdout.flush()
    return section


def document(sections: list[Section], repeats: int, missing: list[str]) -> str:
    """The report."""
    origin = f" Made up, as no zip was given: {', '.join(missing)}." if missing else ""
    blocks = [
        "# The trainer, measured",
        HOW.format(repeats=repeats) + origin,
        described(),
        "## Targets",
        targets_of(sections),
    ]
    blocks += [section.markdown() for section in sections] + ["## Who was measured", WHO]
    return "\n\n".join(blocks) + "\n"


def targets_of(sections: list[Section]) -> str:
    """The table of every section's targets."""
    return targets_table(target for section in sections for target in section.targets)


def described() -> str:
    """The machine and the versions."""
    flags = machine.field("/proc/cpuinfo", "flags").split()
    return machine.as_table(
        {
            "bfloat16 on the CPU": "avx512_bf16" if "avx512_bf16" in flags else "no instructions for it",
            "GPU": train_gpu.gpus() or "none that TensorFlow sees",
            "versions": machine.versions([*packages_distributions()["tensorflow"], *PACKAGES]),
        }
    )


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        app()
    except (MeasuringError, WrongOutputError) as error:
        sys.exit(f"make bench-train: {error}")
