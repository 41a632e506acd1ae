from collections import Counter
from pathlib import Path
from zipfile import ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.dataset import SPLITS, Example
from contracts.errors import InputError
from datapipeline.records.plan import Plan, Planned, count_shards, read_plan, shard_names
from datapipeline.records.raw import RawFolder


def examples(count: int, split: str = "train") -> list[Example]:
    common = {"class_name": "a", "sha256": "0", "width": 1, "height": 1, "format": "PNG"}
    return [
        Example(path=f"{split}/{number}.png", split=split, label=number % 2, **common)
        for number in range(count)
    ]


def planned(
    rows: list[Example], names: list[str], folder: Path, seed=0, minority=0
) -> dict[str, list[Planned]]:
    first = folder / "raw" / min(row.path for row in rows)
    first.parent.mkdir(parents=True, exist_ok=True)
    first.touch()
    with RawFolder(str(folder / "raw"), listed=False) as raw:
        plan = Plan(raw, rows, seed, minority)
        plan.deal(names)
        return {shard.name: list(read_plan(shard.uri)) for shard in plan.write(names, str(folder))}


@settings(max_examples=60, deadline=None)
@given(sizes=st.tuples(*[st.integers(1, 60)] * 3), shards=st.integers(1, 20), seed=st.integers(0, 3))
def test_every_example_is_in_one_shard_and_shards_are_even(tmp_path_factory, sizes, shards, seed):
    folder = tmp_path_factory.mktemp("plan")
    rows = [row for size, split in zip(sizes, SPLITS, strict=True) for row in examples(size, split)]
    names = {split: shard_names(split, min(shards, size)) for size, split in zip(sizes, SPLITS, strict=True)}
    every = [name for split in SPLITS for name in names[split]]
    plans = planned(rows, every, folder, seed)
    held = [image for plan in plans.values() for image in plan]
    assert Counter(one.image.path for one in held) == Counter(row.path for row in rows)
    for split in SPLITS:
        assert all(one.image.path.startswith(split) for name in names[split] for one in plans[name])
        counts = [len(plans[name]) for name in names[split]]
        assert max(counts) - min(counts) <= 1 <= min(counts)
    assert planned(rows[::-1], every, folder, seed) == plans


def test_the_order_is_shuffled_by_the_seed(tmp_path):
    names = shard_names("train", 2)
    one, other = (planned(examples(100), names, tmp_path, seed) for seed in (0, 1))
    paths = [image.image.path for image in one[names[0]]]
    assert paths != sorted(paths)
    assert one != other


def test_a_small_class_of_train_is_filled_up_with_copies(tmp_path):
    rows = [row for row in examples(60) if row.label == 0 or row.path < "train/2"] + examples(4, "val")
    small = sum(row.label for row in rows if row.split == "train")
    plans = planned(rows, [*shard_names("train", 3), *shard_names("val", 1)], tmp_path, minority=25)
    train = [one for name, plan in plans.items() if name.startswith("train") for one in plan]
    assert Counter(one.label for one in train) == {0: 30, 1: 25}
    assert len({one.filename for one in train}) == 55, "no copy is there twice"
    copies = Counter(one.image.path for one in train if one.label)
    assert len(copies) == small
    assert max(copies.values()) - min(copies.values()) <= 1
    assert len(plans["val-00000-of-00001.tfrecord"]) == 4


def test_an_image_that_is_gone_is_named(tmp_path):
    with (
        RawFolder(str(tmp_path), listed=False) as raw,
        pytest.raises(InputError, match=r"holds no image train/0\.png"),
    ):
        Plan(raw, examples(1), 0, 0)


@pytest.mark.parametrize("held", [(), ("a/1.png",)])
def test_an_image_that_its_archive_does_not_hold_is_named(tmp_path, held):
    if held:
        with ZipFile(tmp_path / "x.zip", "w") as archive:
            for name in held:
                archive.writestr(name, b"")
    rows = [row.model_copy(update={"path": "x.zip::a/2.png"}) for row in examples(1)]
    with (
        RawFolder(str(tmp_path), listed=False) as raw,
        pytest.raises(InputError, match=r"holds no image x\.zip::a/2\.png"),
    ):
        Plan(raw, rows, 0, 0)


@given(count=st.integers(1, 10**7), size=st.integers(1, 2048), megabytes=st.integers(1, 1024))
def test_there_is_at_least_one_shard_and_never_an_empty_one(count, size, megabytes):
    assert 1 <= count_shards(count, size, "crop", megabytes) <= count


def test_shards_have_about_the_size_asked_for():
    photos = count_shards(1_200_000, 256, "shorter-side", 128)
    assert 200 <= photos <= 320  # 30 KB each
    assert count_shards(1_200_000, 256, "shorter-side", 64) in (2 * photos, 2 * photos - 1)
    assert count_shards(1_437, 32, "shorter-side", 128) == 6
