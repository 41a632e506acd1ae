"""The golden images of a bundle: what a server replays before it says that it is ready."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import imaging
from contracts.bundle import GOLDEN, Golden, ImageSpec
from models.trainer.examples import StoredExample
from models.trainer.litert import LiteRTModel

FEWEST, MOST = 4, 8
"""Each is one inference of every server's start; another decoder or a changed file shows in any of them."""
TOLERANCE = 0.02
"""Of a probability: another CPU's kernels may round otherwise; a wrong colour order differs by far more."""


def write_golden(
    folder: Path, examples: Iterable[StoredExample], spec: ImageSpec, model: LiteRTModel
) -> list[Golden]:
    """Write images spread over the classes into `golden/`, and give what `model.tflite` says of them.

    Args:
        folder: the bundle's.
        examples: of the test split.
        spec: how their bytes become pixels.
        model: the bundle's LiteRT file.
    """
    golden = []
    for number, example in enumerate(spread(examples)):
        name = f"{GOLDEN}/{number:02d}.jpg"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(example.encoded)
        answer = model.probabilities(imaging.prepare(example.encoded, spec)[None])[0]
        golden.append(Golden(file=name, probabilities=tuple(answer.tolist())))
    return golden


def spread(examples: Iterable[StoredExample]) -> list[StoredExample]:
    """Choose one of each class, then a second of each, …: up to 8, or 4 where there are few classes."""
    by_class: dict[int, list[StoredExample]] = defaultdict(list)
    for example in examples:
        # More than `FEWEST` of one class are never needed.
        if len(by_class[example.label]) < FEWEST:
            by_class[example.label].append(example)
    wanted = min(max(len(by_class), FEWEST), MOST)
    rounds = (
        by_class[label][turn]
        for turn in range(FEWEST)
        for label in sorted(by_class)
        if turn < len(by_class[label])
    )
    return list(islice(rounds, wanted))
