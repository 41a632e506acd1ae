"""Two networks on the same images: counted in pairs, whatever their order."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from contracts.errors import InputError
from models.trainer.evaluation.comparison import compare
from models.trainer.evaluation.predictions import AnsweredImages


def answers(right: list[bool], sureness: float = 0.8) -> AnsweredImages:
    """Of two classes: image i has label i % 2."""
    labels = np.arange(len(right)) % 2
    hits = np.array(right)
    return AnsweredImages(
        [f"{number % 7}/{number}.png" for number in range(len(right))],
        labels,
        np.where(hits, labels, 1 - labels),
        np.where(hits, sureness, 1 - sureness),
        np.full(len(right), sureness),
    )


def shuffled(table: AnsweredImages, seed: int) -> AnsweredImages:
    order = np.random.default_rng(seed).permutation(len(table.labels))
    return AnsweredImages(
        [table.filenames[row] for row in order],
        table.labels[order],
        table.predicted[order],
        table.probability_of_label[order],
        table.probability_of_predicted[order],
    )


@settings(max_examples=50, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60), seed=st.integers(0, 99)
)
def test_what_only_one_has_right_decides(pairs: list[tuple[bool, bool]], seed: int) -> None:
    ours, theirs = ([pair[which] for pair in pairs] for which in (0, 1))
    of = compare(shuffled(answers(ours), seed), answers(theirs), 0.95)
    assert (of.images, of.lost, of.gained) == (
        len(pairs),
        pairs.count((False, True)),
        pairs.count((True, False)),
    )
    assert of.accuracy == np.mean(ours)
    assert of.champion_accuracy == np.mean(theirs)
    assert of.difference == pytest.approx(of.accuracy - of.champion_accuracy)
    assert of.interval[0] <= of.difference + 1e-9
    assert of.interval[1] >= of.difference - 1e-9
    chance = float(binom.sf(of.lost - 1, of.lost + of.gained, 0.5))
    assert of.p_value == pytest.approx(chance)
    assert of.worse == (chance < 0.05)


def test_a_few_images_are_chance_and_many_are_not() -> None:
    champion = answers([True] * 190 + [False] * 10)
    few = compare(answers([True] * 186 + [False] * 14), champion, 0.95)
    many = compare(answers([True] * 180 + [False] * 20), champion, 0.95)
    assert (few.lost, few.worse, few.succeeds) == (4, False, False)
    assert (many.lost, many.worse, many.succeeds) == (10, True, False)
    assert few.p_value == pytest.approx(1 / 16)
    assert compare(answers([True] * 186 + [False] * 14), champion, 0.9).worse


def test_of_equally_accurate_ones_the_surer_succeeds_and_else_nobody() -> None:
    champion = answers([True] * 9 + [False], sureness=0.8)
    assert compare(answers([True] * 9 + [False], sureness=0.9), champion, 0.95).succeeds
    assert not compare(champion, champion, 0.95).succeeds
    assert not compare(answers([True] * 9 + [False], sureness=0.6), champion, 0.95).succeeds
    assert compare(answers([True] * 10, sureness=0.6), champion, 0.95).succeeds


def test_other_images_or_labels_are_refused() -> None:
    table = answers([True] * 4)
    with pytest.raises(InputError, match="of 3 and 4 they share 3:"):
        compare(answers([True] * 3), table, 0.95)
    relabelled = replace(table, labels=1 - table.labels)
    with pytest.raises(InputError, match="of 4 and 4 they share 4, with other labels"):
        compare(relabelled, table, 0.95)
