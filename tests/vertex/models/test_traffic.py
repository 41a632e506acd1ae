from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from vertex.models.traffic import beside, shared, without

SPLITS = st.dictionaries(st.sampled_from("12345"), st.integers(0, 100), min_size=1)


@given(SPLITS, st.integers(1, 99))
def test_a_newcomer_gets_its_percent_and_the_others_the_rest(split, percent):
    changed = beside(split, "0", percent)
    assert changed["0"] == percent
    assert sum(changed.values()) == 100
    assert changed.keys() == {*split, "0"}


@given(SPLITS)
def test_who_had_more_doesnt_get_less(split):
    scaled = shared(split)
    assert sum(scaled.values()) == 100
    assert all(share >= 0 for share in scaled.values())
    by_share = sorted(split, key=split.__getitem__)
    assert all(scaled[less] <= scaled[more] + 1 for less, more in pairwise(by_share))


def test_a_canary_changes_its_percent():
    assert beside({"1": 90, "2": 10}, "2", 25) == {"1": 75, "2": 25}
    assert without({"1": 90, "2": 10}, "2") == {"1": 90}
