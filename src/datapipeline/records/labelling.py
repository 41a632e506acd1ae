"""Usable images to examples: each with its class's label and its side of the split."""

from collections import Counter
from collections.abc import Iterable, Sequence

from contracts.console import log
from contracts.dataset import Example
from contracts.errors import InputError
from datapipeline.records.examine import Examined
from datapipeline.records.split import Fractions, split_class


def to_examples(
    images: Sequence[Examined],
    class_names: Iterable[str],
    fractions: Fractions,
    seed: int,
    min_per_class: int,
) -> list[Example]:
    """Label and split the usable images; labels count the sorted names of `class_names`, the raw data's.

    Raises:
        InputError: a class has too few different images of its own.
    """
    contents, shared = check_enough(images, class_names, min_per_class)
    names = sorted(contents)
    if shared:
        log("the same image is in several classes", images=len(shared), kept=True)
    sides = {name: split_class(contents[name], shared, fractions, seed) for name in names}
    labels = {name: label for label, name in enumerate(names)}
    return [
        Example(
            path=image.path,
            label=labels[image.class_name],
            class_name=image.class_name,
            split=sides[image.class_name][image.sha256],
            sha256=image.sha256,
            width=image.width,
            height=image.height,
            format=image.format,
        )
        for image in images
    ]


def check_enough(
    images: Iterable[Examined | Example], class_names: Iterable[str], fewest: int
) -> tuple[dict[str, set[str]], set[str]]:
    """Each class's contents, and those that several classes have.

    Raises:
        InputError: a class has fewer than `fewest` contents of its own.
    """
    # From the raw data's names: a class whose images are all broken is missed, not forgotten.
    contents: dict[str, set[str]] = {name: set() for name in class_names}
    for image in images:
        contents[image.class_name].add(image.sha256)
    shared = _shared(contents.values())
    for name in sorted(contents):
        count = len(contents[name] - shared)
        if count < fewest:
            raise InputError(
                f"the class {name!r} has {count} different usable images of its own and needs {fewest} (one "
                "for each of train, val and test at least): add images, or take the folder away"
            )
    return contents, shared


def _shared(classes: Iterable[set[str]]) -> set[str]:
    times = Counter(content for contents in classes for content in contents)
    return {content for content, count in times.items() if count > 1}
