"""A head over a frozen VGG16: by our first phase, on ready features by hand, and through the base."""

from pathlib import Path
from typing import Final

from benchmarks import rounds, train_data
from benchmarks.images import Named
from benchmarks.measuring import measure
from benchmarks.report import Section, Target
from benchmarks.train_commands import (
    BATCH,
    PHOTO_SIZE,
    QUIET,
    contender_command,
    laps_table,
    train_command,
)
from benchmarks.train_stopwatch import EPOCH, Contender, Lap, Watched, span, wall

EPOCHS: Final = 30
OURS: Final = "our trainer"
BY_HAND: Final = "by hand"
THROUGH: Final = "through the base, an epoch"
FLOAT: Final = "by hand, float32"
BEGUN: Final = "training"
COMPUTED: Final = "features computed"


def run(photos: list[Named], count: int, repeats: int, work: Path) -> Section:
    """`count` photos to train on, and a batch to validate with."""
    photos_per_split = {"train": count, "val": BATCH, "test": 8}
    data = train_data.write(work, photos, photos_per_split, "--image-size", PHOTO_SIZE, "--resize", "crop")
    weights = work / "vgg16.weights.h5"
    measure(contender_command("frozen_base.py", "weights", weights), environment=QUIET)
    runs = rounds.rotate(contenders(data.shards, weights, feature_precision()), repeats, work)
    return section(runs, count, count + BATCH)


def contenders(shards: Path, weights: Path, precision: str) -> dict[str, Contender]:
    """Who trains the head."""

    def ours(output: Path) -> list[str]:
        options = ("--weights", weights, "--head-epochs", EPOCHS, "--fine-tune-from", "none")
        return train_command(shards, output, "--gpu", 0, "--wandb", "off", *options)

    def by_hand(how: str, chosen: str, epochs: int) -> list[str]:
        options = ("--weights", weights, "--precision", chosen, "--epochs", epochs, "--batch", BATCH)
        return contender_command("frozen_base.py", how, shards, *options)

    return {
        OURS: Contender(ours, (EPOCH, EPOCHS), lambda said: span(said, BEGUN, EPOCH), QUIET),
        BY_HAND: Contender(
            lambda _: by_hand("features", precision, EPOCHS),
            (EPOCH, EPOCHS),
            lambda said: span(said, "begin", EPOCH),
            QUIET,
        ),
        THROUGH: Contender(
            lambda _: by_hand("through", precision, 1),
            (EPOCH, 1),
            lambda said: span(said, "begin", EPOCH),
            QUIET,
        ),
        FLOAT: Contender(
            lambda _: by_hand("features", "float32", 0),
            ("features", 1),
            lambda said: span(said, "begin", "features"),
            QUIET,
        ),
    }


def section(runs: dict[str, list[Watched]], train: int, images: int) -> Section:
    """What came out."""
    laps = {name: [lap for run in some for lap in run.laps] for name, some in runs.items()}
    passes = {
        OURS: [lap for run in runs[OURS] for lap in span(run.events, BEGUN, COMPUTED)],
        BY_HAND: [lap for run in runs[BY_HAND] for lap in span(run.events, "begin", "features")],
        FLOAT: laps[FLOAT],
    }
    through = [Lap(lap.wall * EPOCHS, lap.cpu * EPOCHS) for lap in laps[THROUGH]]
    whole = {OURS: laps[OURS], BY_HAND: laps[BY_HAND], f"through the base, {EPOCHS} epochs": through}
    precision = next(e.fields["precision"] for e in runs[OURS][0].events if e.name == COMPUTED)
    about = (
        f"{train} photos and {images - train} to validate with after each of {EPOCHS} epochs, at "
        f"{PHOTO_SIZE}x{PHOTO_SIZE}, batches of {BATCH}, random weights. The trainer chose {precision} for "
        "the frozen base by itself; the others compute it in the same precision. Ours counts from where the "
        "network stands to the end of the last epoch, with every epoch's state saved; by hand, nothing is. "
        f"Through the base an epoch of Keras' `fit` is measured, traced before, and taken {EPOCHS} times."
    )
    targets = [
        Target(
            f"{EPOCHS} epochs of the head, time over one pass and a head by hand",
            wall(laps[OURS]) / wall(laps[BY_HAND]),
            1.15,
            at_least=False,
        ),
        Target(
            f"{EPOCHS} epochs of the head, speed over training through the base",
            wall(through) / wall(laps[OURS]),
            20,
        ),
    ]
    if precision == "bfloat16":
        speed = wall(passes[FLOAT]) / wall(passes[OURS])
        targets.append(Target("the feature pass in bfloat16, speed over float32", speed, 1.7))
    blocks = [
        about,
        laps_table(f"{EPOCHS} epochs of the head", whole, train * EPOCHS, OURS),
        "The pass alone, from where the network stands, over both splits:",
        laps_table("feature pass", passes, images, OURS),
    ]
    return Section("A head over a frozen base", blocks, targets)


def feature_precision() -> str:
    """What is fastest here: what the trainer should choose by itself."""
    return "bfloat16" if "avx512_bf16" in Path("/proc/cpuinfo").read_text() else "float32"
