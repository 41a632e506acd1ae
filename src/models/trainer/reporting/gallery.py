"""Which answers the report shows with their pictures: the worst mistakes, and the most confused pairs'."""

from collections.abc import Iterable, Sequence
from itertools import permutations
from typing import NamedTuple

import keras
import numpy as np

from models.trainer.evaluation.judgement import Judgement
from models.trainer.evaluation.predictions import Ints, Predictions
from models.trainer.reporting.album import LARGEST, Album, heated
from models.trainer.reporting.grad_cam import grad_cam

WORST = 24
"""Mistakes that are shown."""
PAIRS = 5
"""Pairs of classes that are shown."""
LEAST_MISTAKES = 2
"""Of a pair that is shown: a single one may be chance."""
MISTAKEN, RIGHT = 6, 3
"""Images of each class of a pair that were taken for the other, and right ones to compare."""


class Shot(NamedTuple):
    """One answer, with its image."""

    filename: str
    true: str
    predicted: str
    probability: float
    """Of the class that was named."""
    probability_true: float
    image: str
    """A data URI."""
    heat: str | None = None
    """The same with what spoke for the class that was named; None: the network has no feature maps."""


class Strip(NamedTuple):
    """Images of one class for which one class was named: the same, or another."""

    true: str
    predicted: str
    images: int
    """How many there are."""
    support: int
    """The true class's images."""
    rows: Ints
    """Some of them, surest first: numbers in the predictions."""


class Side(NamedTuple):
    """One class of two that are mixed up."""

    mistaken: Strip
    """What was taken for the other one."""
    right: Strip


def rows_of(pairs: Iterable[Sequence[Side]]) -> list[int]:
    """All images of some pairs: numbers in the predictions."""
    strips = (strip for pair in pairs for side in pair for strip in side)
    return [int(row) for strip in strips for row in strip.rows]


def worst_mistakes(predictions: Predictions) -> Ints:
    """The wrong answers that the network was surest of, surest first: their numbers, `WORST` at most."""
    return _surest(predictions, predictions.predicted != predictions.labels)[:WORST]


def confused_pairs(judgement: Judgement, class_names: Sequence[str]) -> list[list[Side]]:
    """The pairs of classes that are most often mixed up, the direction first that happens more often.

    A pair of fewer than `LEAST_MISTAKES` images, in both directions together, is left out.
    """
    numbers = {name: number for number, name in enumerate(class_names)}
    confused = judgement.metrics.most_confused
    found = dict.fromkeys(frozenset((numbers[pair.true], numbers[pair.predicted])) for pair in confused)
    pairs = [[_side(judgement, class_names, *way) for way in permutations(sorted(pair))] for pair in found]
    telling = [pair for pair in pairs if sum(side.mistaken.images for side in pair) >= LEAST_MISTAKES]
    return [sorted(pair, key=lambda side: -side.mistaken.images) for pair in telling[:PAIRS]]


def shots(
    judgement: Judgement,
    class_names: Sequence[str],
    rows: Ints,
    album: Album,
    network: keras.Model | None = None,
    largest: int = LARGEST,
) -> list[Shot]:
    """Answers with their pictures; with a network, also with what it looked at.

    Args:
        judgement: whose answers.
        class_names: the index is the label.
        rows: numbers of the answers.
        album: which has their images.
        network: uint8 RGB [batch, size, size, 3] to logits.
        largest: pixels of a picture's side, at most.
    """
    answers = judgement.predictions
    heats = _heats(judgement, rows, album, network) if network is not None and len(rows) else None
    return [
        Shot(
            filename=answers.filenames[row],
            true=class_names[answers.labels[row]],
            predicted=class_names[answers.predicted[row]],
            probability=float(answers.probabilities[row].max()),
            probability_true=float(answers.probabilities[row, answers.labels[row]]),
            image=album.seen(judgement.split, answers.filenames[row], largest),
            heat=heats[place] if heats else None,
        )
        for place, row in enumerate(rows)
    ]


def _heats(judgement: Judgement, rows: Ints, album: Album, network: keras.Model) -> list[str] | None:
    names = [judgement.predictions.filenames[row] for row in rows]
    pixels = np.stack([album.pixels(judgement.split, name) for name in names])
    maps = grad_cam(network, pixels, judgement.predictions.predicted[rows])
    return None if maps is None else [heated(*image) for image in zip(pixels, maps, strict=True)]


def _side(judgement: Judgement, class_names: Sequence[str], label: int, other: int) -> Side:
    return Side(
        _strip(judgement, class_names, label, other, MISTAKEN),
        _strip(judgement, class_names, label, label, RIGHT),
    )


def _strip(judgement: Judgement, class_names: Sequence[str], true: int, predicted: int, most: int) -> Strip:
    answers, metrics = judgement.predictions, judgement.metrics
    rows = _surest(answers, (answers.labels == true) & (answers.predicted == predicted))
    support = metrics.per_class[true].support
    return Strip(class_names[true], class_names[predicted], len(rows), support, rows[:most])


def _surest(predictions: Predictions, which: np.ndarray) -> Ints:
    rows = np.flatnonzero(which)
    return np.asarray(rows[np.argsort(-predictions.probabilities.max(axis=1)[rows], kind="stable")])
