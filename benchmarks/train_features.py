"""Whether features in bfloat16 are worth what they are in float32."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.images import Named
from benchmarks.report import Section, Target, table
from benchmarks.train_commands import QUIET, contender_command
from benchmarks.train_stopwatch import watch

SCRIPT = "feature_accuracy.py"


def run(small: list[Named], weights: Path | None, work: Path) -> Section:
    """Heads on VGG16's features of digits, and with weights on MobileNet's of the small images."""
    bases = {"VGG16, handwritten digits": contender_command(SCRIPT, "vgg16")}
    if weights:
        for name, encoded in small:
            file = work / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(encoded)
        options = ("--weights", weights, "--images", work)
        bases["MobileNet 0.25 of ImageNet, small images"] = contender_command(SCRIPT, "mobilenet", *options)
    targets, rows = [], []
    for base, command in bases.items():
        answered = watch(command, ("answered", 1), QUIET)[-1].fields
        images = answered["answers"]
        shares = {precision: 100 * answered[precision] / images for precision in ("float32", "bfloat16")}
        lost = shares["float32"] - shares["bfloat16"]
        rows.append([base, f"{images:,}", *(f"{share:.2f}" for share in shares.values()), f"{lost:.2f}"])
        targets.append(
            Target(f"top-1 lost to bfloat16 features: {base}", lost, 0.2, at_least=False, unit="points")
        )
    return Section("Features in bfloat16", [about(bool(weights)), accuracies(rows)], targets)


def about(with_weights: bool) -> str:
    """How it was done."""
    digits = (
        "The same linear heads (ridge regressions) on a frozen base's features in both precisions, and what "
        "they answer on images that they were not trained on. VGG16 at 32x32 was trained on a third of "
        "scikit-learn's handwritten digits, and the head asked about the rest."
    )
    photos = (
        " MobileNet's images are enlarged to 96x96, and each fifth answered by a head that was trained on "
        "the other four, for four divisions into fifths: so every image is asked about four times."
    )
    return digits + (photos if with_weights else " No pretrained weights were given (WEIGHTS).")


def accuracies(rows: Sequence[Sequence[str]]) -> str:
    """Top-1 in both."""
    return table(["features", "answers", "top-1 in float32, %", "in bfloat16, %", "points lost"], rows)
