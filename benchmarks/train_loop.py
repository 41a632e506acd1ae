"""The loop, and the whole trainer around it, against Keras' `fit` and a step written by hand."""

import statistics
from pathlib import Path
from typing import Final

from benchmarks import rounds, train_data
from benchmarks.images import Named
from benchmarks.report import Section, Target
from benchmarks.train_commands import (
    BATCH,
    QUIET,
    SMALL_SIZE,
    contender_command,
    laps_table,
    train_command,
)
from benchmarks.train_stopwatch import EPOCH, Contender, Lap, Watched, between, epochs, wall

LOOP: Final = "our loop"
FIT: Final = "Keras' fit"
STEP: Final = "a step by hand"
TRAINER: Final = "our trainer, everything on"
TRAINED: Final = "trained"


def run(small: list[Named], steps: int, measured: int, repeats: int, work: Path) -> Section:
    """Epochs of `steps` batches, of which `measured` count, behind a first one."""
    validation = max(1, steps // 10)
    images = {"train": steps * BATCH, "val": validation * BATCH, "test": 40}
    data = train_data.write(work, small, images, "--image-size", SMALL_SIZE, "--resize", "crop")
    runs = rounds.rotate(contenders(data.shards, steps, validation, measured + 1), repeats, work)
    return section(runs, images["train"], images["val"])


def contenders(shards: Path, steps: int, validation: int, count: int) -> dict[str, Contender]:
    """Who trains."""

    def by(loop: str) -> Contender:
        options = ("--size", SMALL_SIZE, "--batch", BATCH, "--steps", steps)
        options += ("--validation-steps", validation, "--epochs", count)
        command = contender_command("training_loops.py", loop, *options)
        return Contender(lambda _: command, (EPOCH, count), epochs, QUIET)

    def trainer(output: Path) -> list[str]:
        options = ("--gpu", 0, "--wandb", "offline", "--weights", "none", "--epochs", count)
        options += ("--learning-rate", 2e-4, "--schedule", "constant", "--warmup", 0, "--clip-norm", 0)
        return train_command(shards, output, *options)

    return {
        LOOP: by("ours"),
        FIT: by("fit"),
        STEP: by("step"),
        TRAINER: Contender(trainer, (EPOCH, count), epochs, QUIET),
    }


def section(runs: dict[str, list[Watched]], train: int, val: int) -> Section:
    """What came out."""
    training: dict[str, list[Lap]] = {
        name: [lap for run in runs[name] for lap in between(run.events, EPOCH, TRAINED)]
        for name in (LOOP, FIT, STEP)
    }
    whole = {name: [lap for run in runs[name] for lap in run.laps] for name in (TRAINER, FIT, STEP)}
    waits = [e.fields["data_wait"] for run in runs[TRAINER] for e in run.events if e.name == EPOCH]
    about = (
        f"VGG16 at {SMALL_SIZE}x{SMALL_SIZE}, float32, one device, Adam, {train:,} images an epoch in "
        f"batches of {BATCH}, and {val} to validate with. The loops have the same batches, ready in memory."
    )
    about_trainer = (
        "The trainer reads shards, validates, saves its whole state, and writes TensorBoard's files, "
        "history.csv and an offline run of W&B, every epoch; the others train on ready batches and validate. "
        f"Its share of time waiting for data: {statistics.median(waits):.4f} (median)."
    )
    targets = [
        Target(f"{ours}: speed against {name}", wall(laps[name]) / wall(laps[ours]), bound)
        for ours, laps in ((LOOP, training), (TRAINER, whole))
        for name, bound in ((FIT, 0.97), (STEP, 0.95))
    ]
    blocks = [
        about,
        laps_table("an epoch's training", training, train, LOOP),
        about_trainer,
        laps_table("a whole epoch", whole, train, TRAINER),
    ]
    return Section("The training loop", blocks, targets)
