import hashlib
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datapipeline.records.split import FEWEST, position, split_class

FRACTIONS = (0.8, 0.1, 0.1)


def contents(numbers) -> list[str]:
    return [hashlib.sha256(str(number).encode()).hexdigest() for number in numbers]


numbers = st.sets(st.integers(0, 10**6), min_size=FEWEST, max_size=60)
fractions = st.tuples(*[st.floats(0.01, 1)] * 3).map(lambda parts: tuple(part / sum(parts) for part in parts))


@settings(max_examples=200)
@given(numbers=numbers, fractions=fractions, seed=st.integers(0, 5))
def test_every_side_of_every_class_has_an_image(numbers, fractions, seed):
    sides = split_class(contents(numbers), (), fractions, seed)
    assert set(sides) == set(contents(numbers))
    assert set(sides.values()) == {"train", "val", "test"}
    assert split_class(reversed(contents(numbers)), (), fractions, seed) == sides


@settings(max_examples=50)
@given(more=st.sets(st.integers(1000, 10**6), max_size=200))
def test_images_stay_put_as_data_grows(more):
    before = split_class(contents(range(200)), (), FRACTIONS, 0)
    after = split_class(contents([*range(200), *more]), (), FRACTIONS, 0)
    assert {content: after[content] for content in before} == before


def test_fractions_are_about_right_and_the_seed_matters():
    many = contents(range(20_000))
    sides = split_class(many, (), FRACTIONS, 0)
    counts = Counter(sides.values())
    for split, fraction in zip(("train", "val", "test"), FRACTIONS, strict=True):
        assert counts[split] / len(many) == pytest.approx(fraction, abs=0.01)
    other = split_class(many, (), FRACTIONS, 1)
    assert sum(sides[content] != other[content] for content in many) > 5_000


@given(numbers=numbers, shared=st.sets(st.integers(0, 10**6), max_size=20))
def test_what_several_classes_share_is_never_lent(numbers, shared):
    shared -= numbers
    sides = split_class(contents(numbers | shared), contents(shared), FRACTIONS, 0)
    for content in contents(shared):
        place = position(content, 0)
        assert sides[content] == ("train" if place < 0.8 else "val" if place < 0.9 else "test")


def test_too_few_are_refused():
    with pytest.raises(ValueError, match="at least 3"):
        split_class(contents(range(4)), contents(range(2)), FRACTIONS, 0)
