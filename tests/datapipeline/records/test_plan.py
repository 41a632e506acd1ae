from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.dataset import Example
from datapipeline.records.plan import count_shards, plan_shards


def examples(count, split="train") -> list[Example]:
    common = {"label": 0, "class_name": "a", "sha256": "0", "width": 1, "height": 1, "format": "PNG"}
    return [Example(path=f"{split}/{number}.png", split=split, **common) for number in range(count)]


@settings(max_examples=100, deadline=None)
@given(sizes=st.tuples(*[st.integers(1, 60)] * 3), shards=st.integers(1, 20), seed=st.integers(0, 3))
def test_every_example_is_in_one_shard_and_shards_are_even(sizes, shards, seed):
    rows = [
        row
        for size, split in zip(sizes, ("train", "val", "test"), strict=True)
        for row in examples(size, split)
    ]
    counts = dict.fromkeys(("train", "val", "test"), shards)
    plans = plan_shards(rows, counts, seed)
    assert Counter(row.path for plan in plans for row in plan.examples) == Counter(row.path for row in rows)
    for split, size in zip(("train", "val", "test"), sizes, strict=True):
        held = [len(plan.examples) for plan in plans if plan.split == split]
        assert len(held) == min(shards, size)
        assert max(held) - min(held) <= 1
        assert all(row.split == split for plan in plans if plan.split == split for row in plan.examples)
    assert plan_shards(rows[::-1], counts, seed) == plans


def test_the_order_is_shuffled_by_the_seed():
    counts = {"train": 2, "val": 1, "test": 1}
    one, other = (plan_shards(examples(100), counts, seed) for seed in (0, 1))
    assert [row.path for row in one[0].examples] != sorted(row.path for row in one[0].examples)
    assert one != other


@given(count=st.integers(1, 10**7), size=st.integers(1, 2048), megabytes=st.integers(1, 1024))
def test_there_is_at_least_one_shard_and_never_an_empty_one(count, size, megabytes):
    assert 1 <= count_shards(count, size, "crop", megabytes) <= count


def test_shards_have_about_the_size_asked_for():
    photos = count_shards(1_200_000, 256, "shorter-side", 128)
    assert 200 <= photos <= 320  # 30 KB each
    assert count_shards(1_200_000, 256, "shorter-side", 64) in (2 * photos, 2 * photos - 1)
    assert count_shards(1_437, 32, "shorter-side", 128) == 6
