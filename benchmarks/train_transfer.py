"""What pretrained weights are worth: two-phase transfer against the same network from scratch."""

from pathlib import Path
from typing import Final

from benchmarks import train_data
from benchmarks.commands import PYTHON
from benchmarks.images import Named
from benchmarks.measuring import measure
from benchmarks.report import Section, Target, table
from benchmarks.train_commands import QUIET
from contracts.bundle import ModelBundle

TITLE: Final = "Transfer learning"
VAL, TEST = 600, 1000
IMAGE_SIZE: Final = 96
HEAD_EPOCHS, FINE_TUNING_EPOCHS = 5, 10
SCRATCH: Final = "from scratch"
HEAD: Final = "the head alone"
BOTH: Final = "the head, then all layers"


def run(small: list[Named], weights: Path | None, work: Path) -> Section:
    """MobileNet 0.25 on the small images, each enlarged, as often from scratch as with weights."""
    if weights is None:
        return Section(TITLE, ["No pretrained weights were given (WEIGHTS)."], [])
    counts = {"train": max(len(small) - VAL - TEST, VAL), "val": VAL, "test": TEST}
    data = train_data.write(work / "small", small, counts)
    pretrained = ["--weights", weights, "--head-epochs", HEAD_EPOCHS]
    options: dict[str, list[object]] = {
        SCRATCH: ["--epochs", HEAD_EPOCHS + FINE_TUNING_EPOCHS],
        HEAD: [*pretrained, "--fine-tune-from", "none"],
        BOTH: [
            *pretrained,
            *("--epochs", FINE_TUNING_EPOCHS, "--fine-tune-from", "all", "--fine-tune-factor", 1),
        ],
    }
    right = {
        name: _accuracy(data, work / f"run-{number}", some)
        for number, (name, some) in enumerate(options.items())
    }
    epochs = {SCRATCH: HEAD_EPOCHS + FINE_TUNING_EPOCHS, HEAD: HEAD_EPOCHS}
    epochs[BOTH] = epochs[SCRATCH]
    about = (
        f"MobileNet 0.25 with ImageNet's weights on {counts['train']:,} small images enlarged to "
        f"{IMAGE_SIZE}x{IMAGE_SIZE}, mirrored and cropped, and what it answers of {TEST:,} others."
    )
    rows = [[name, str(epochs[name]), f"{share:.1f}"] for name, share in right.items()]
    return Section(
        TITLE,
        [about, table(["training", "epochs", "top-1, %"], rows)],
        [
            Target(
                "top-1 gained over the same from scratch", right[BOTH] - right[SCRATCH], 15, unit="points"
            ),
            Target("top-1 that fine-tuning adds to the head", right[BOTH] - right[HEAD], 0.1, unit="points"),
        ],
    )


def _accuracy(data: train_data.Records, output: Path, options: list[object]) -> float:
    """Top-1 in percent on the test split, by our command."""
    network = ["--network", "MobileNet", "--alpha", 0.25, "--image-size", IMAGE_SIZE, "--flip"]
    places = ["--gpu", 0, "--wandb", "off", "--input", data.shards, "--output", output]
    command = [PYTHON, "-m", "models.keras_applications.train_multi_gpu", *network, *places, *options]
    measure([str(part) for part in command], environment=QUIET)
    return 100 * ModelBundle.read(str(output)).metrics["accuracy"]
