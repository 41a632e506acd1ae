"""What a data set's index says of its images: how many of each class in each split, and how even that is."""

from typing import NamedTuple

from contracts.dataset import SPLITS, ShardIndex, Split

EVEN, UNEVEN, VERY_UNEVEN = 1.5, 3.0, 10.0
"""Times that the largest class may be as large as the smallest, to be called so."""


class ClassImages(NamedTuple):
    """One class."""

    class_name: str
    counts: dict[Split, int]

    @property
    def total(self) -> int:
        """Images in all splits."""
        return sum(self.counts.values())


def class_images(index: ShardIndex) -> list[ClassImages]:
    """Each class's images, from the shards' histograms."""
    columns = {
        split: [
            sum(column)
            for column in zip(*(shard.class_histogram for shard in index.shards[split]), strict=True)
        ]
        for split in SPLITS
    }
    return [
        ClassImages(name, {split: columns[split][label] for split in SPLITS})
        for label, name in enumerate(index.class_names)
    ]


def balance(classes: list[ClassImages]) -> str:
    """Say how even the training split is."""
    smallest = min(classes, key=lambda row: row.counts["train"])
    largest = max(classes, key=lambda row: row.counts["train"])
    few, many = smallest.counts["train"], largest.counts["train"]
    if few == many:
        return f"Each class has {_images(many)} to train on."
    if not few:
        return f"{smallest.class_name} has no image to train on, {largest.class_name} has {_images(many)}."
    sizes = f"from {_images(few)} ({smallest.class_name}) to {many} ({largest.class_name})"
    return f"{_evenness(many / few)}: {sizes} to train on, 1 to {many / few:.1f}."


def _evenness(ratio: float) -> str:
    if ratio < EVEN:
        return "The classes are about equally large"
    if ratio < UNEVEN:
        return "The classes are somewhat uneven"
    if ratio < VERY_UNEVEN:
        return "The classes are uneven, so accuracy speaks mostly of the large: macro F1 counts all alike"
    return (
        "The classes are very uneven, so accuracy speaks mostly of the large: macro F1 counts all alike, "
        "and --class-weights or augmented copies help the small ones"
    )


def _images(count: int) -> str:
    return f"{count} image" if count == 1 else f"{count} images"
