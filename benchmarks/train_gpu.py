"""On a GPU, where there is one: VGG16 at 224, our trainer on photos against `fit` on synthetic data."""

import functools
import statistics
import subprocess
from pathlib import Path
from typing import Any, Final

from benchmarks import rounds, train_data
from benchmarks.commands import PYTHON
from benchmarks.images import Named
from benchmarks.report import Section, each, table
from benchmarks.train_commands import BATCH, PHOTO_SIZE, QUIET, contender_command, train_command
from benchmarks.train_stopwatch import EPOCH, Contender, Watched, between, epochs

TITLE: Final = "On a GPU"
EPOCHS: Final = 4
PRECISIONS: Final = {"float32": "float32", "float16": "mixed_float16"}
"""As our trainer and as Keras name them."""
LOOK: Final = """
import tensorflow as tf
gpus = tf.config.list_physical_devices("GPU")
details = map(tf.config.experimental.get_device_details, gpus)
print(", ".join(gpu.get("device_name", "a GPU") for gpu in details))
"""


@functools.cache
def gpus() -> str:
    """The names of the GPUs that TensorFlow sees."""
    seen = subprocess.run([PYTHON, "-c", LOOK], env=QUIET, capture_output=True, text=True, check=True)
    return seen.stdout.strip()


def run(photos: list[Named], steps: int, repeats: int, work: Path) -> Section:
    """Epochs of `steps` batches; nothing where there is no GPU."""
    if not gpus():
        return Section(TITLE, ["TensorFlow saw no GPU on this machine: nothing was measured on one."])
    images = {"train": steps * BATCH, "val": BATCH, "test": 8}
    data = train_data.write(work, photos, images, "--image-size", 256)
    runs = rounds.rotate(contenders(data.shards, steps), repeats, work)
    about = (
        f"{gpus()}. VGG16 at {PHOTO_SIZE}x{PHOTO_SIZE}, batches of {BATCH}, {images['train']:,} images an "
        f"epoch, {EPOCHS - 1} epochs behind a first one. Ours reads shards, crops and mirrors; `fit`, "
        "compiled as Keras chooses, has one ready batch again and again. float32 may compute in TF32 there."
    )
    rows = [row(name, some, images["train"]) for name, some in runs.items()]
    header = ["an epoch's training", "images/s", "each", "share of time waiting for data"]
    return Section(TITLE, [about, table(header, rows)])


def contenders(shards: Path, steps: int) -> dict[str, Contender]:
    """Ours and `fit` in both precisions."""

    def fit(policy: str) -> Contender:
        options = ("--size", PHOTO_SIZE, "--batch", BATCH, "--steps", steps, "--validation-steps", 1)
        command = contender_command(
            "training_loops.py", "fit", *options, "--epochs", EPOCHS, "--precision", policy
        )
        return Contender(
            lambda _: command, (EPOCH, EPOCHS), lambda said: between(said, EPOCH, "trained"), QUIET
        )

    def ours(precision: str) -> Contender:
        options = ("--gpu", 1, "--wandb", "off", "--weights", "none", "--epochs", EPOCHS)
        options += ("--image-size", PHOTO_SIZE, "--flip", "--precision", precision)
        return Contender(
            lambda output: [*train_command(shards, output, *options), "--crop-scale", "0.8"],
            (EPOCH, EPOCHS),
            epochs,
            QUIET,
        )

    return {f"our trainer, {name}": ours(name) for name in PRECISIONS} | {
        f"Keras' fit, {name}": fit(policy) for name, policy in PRECISIONS.items()
    }


def row(name: str, runs: list[Watched], images: int) -> list[str]:
    """Its rates; ours come from the trainer's own history, since it says nothing between an epoch's parts."""
    told: list[Any] = [e.fields for run in runs for e in run.events if e.name == EPOCH]
    told = [fields for fields in told if "images_per_second" in fields and fields["epoch"] > 1]
    rates = [fields["images_per_second"] for fields in told]
    rates = rates or [images / lap.wall for run in runs for lap in run.laps]
    waits = [fields["data_wait"] for fields in told]
    return [
        name,
        f"{statistics.median(rates):.0f}",
        each(rates, 0),
        f"{statistics.median(waits):.3f}" if waits else "",
    ]
