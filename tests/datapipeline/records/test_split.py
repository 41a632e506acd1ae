import hashlib
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import InputError
from datapipeline.records.split import FEWEST, assign, gather, own, position
from datapipeline.records.worktable import WorkTable

FRACTIONS = (0.8, 0.1, 0.1)


def contents(numbers) -> list[str]:
    return [hashlib.sha256(str(number).encode()).hexdigest() for number in numbers]


def split(images, fractions=FRACTIONS, seed=0, keep=False) -> dict[str, str]:
    """The side of each image; `images` are path, class, content and cluster."""
    with WorkTable() as table:
        rows = "INSERT INTO image (path, class_name, sha256, cluster) VALUES (?, ?, ?, ?)"
        table.sql.executemany(rows, images)
        gather(table, seed, keep=keep)
        assign(table, fractions, keep=keep)
        return dict(table.sql.execute("SELECT path, split FROM image"))


def of_one_class(numbers, name="a") -> list[tuple]:
    return [
        (f"{name}/{content}", name, content, int(number))
        for number, content in zip(numbers, contents(numbers), strict=True)
    ]


numbers = st.sets(st.integers(0, 10**6), min_size=FEWEST, max_size=60).map(sorted)
fractions = st.tuples(*[st.floats(0.01, 1)] * 3).map(lambda parts: tuple(part / sum(parts) for part in parts))


@settings(max_examples=100, deadline=None)
@given(numbers=numbers, fractions=fractions, seed=st.integers(0, 5))
def test_every_side_of_every_class_has_an_image(numbers, fractions, seed):
    images = of_one_class(numbers)
    sides = split(images, fractions, seed)
    assert len(sides) == len(numbers)
    assert set(sides.values()) == {"train", "val", "test"}
    assert split(images[::-1], fractions, seed) == sides


@settings(max_examples=30, deadline=None)
@given(more=st.sets(st.integers(1000, 10**6), max_size=200))
def test_images_stay_put_as_data_grows(more):
    before = split(of_one_class(range(200)))
    after = split(of_one_class([*range(200), *more]))
    assert {path: after[path] for path in before} == before


def test_fractions_are_about_right_and_the_seed_matters():
    many = of_one_class(range(20_000))
    sides = split(many)
    counts = Counter(sides.values())
    for name, fraction in zip(("train", "val", "test"), FRACTIONS, strict=True):
        assert counts[name] / len(many) == pytest.approx(fraction, abs=0.01)
    other = split(many, seed=1)
    assert sum(sides[path] != other[path] for path in sides) > 5_000


clusters = st.lists(st.tuples(st.integers(0, 12), st.sampled_from("abc")), min_size=1, max_size=60)


@settings(max_examples=100, deadline=None)
@given(clusters=clusters)
def test_a_cluster_is_on_one_side_and_one_that_classes_share_is_never_lent(clusters):
    images = [row for name in "abc" for row in of_one_class(range(100, 110), name)]
    images = [
        (path, name, f"{content}{name}", hash((cluster, name))) for path, name, content, cluster in images
    ]
    images += [
        (f"{name}/{number}", name, contents([number])[0], cluster)
        for number, (cluster, name) in enumerate(clusters)
    ]
    sides = split(images)
    by_cluster = {}
    for path, name, content, cluster in images:
        by_cluster.setdefault(cluster, []).append((path, name, content))
    for group in by_cluster.values():
        assert len({sides[path] for path, *_ in group}) == 1
        if len({name for _, name, _ in group}) > 1:
            place = position(min(content for *_, content in group), 0)
            side = "train" if place < 0.8 else "val" if place < 0.9 else "test"
            assert sides[group[0][0]] == side
    for name in "abc":
        assert {sides[path] for path, of, *_ in images if of == name} == {"train", "val", "test"}


def test_only_what_is_a_classs_own_counts():
    images = [*of_one_class(range(5)), ("b/1", "b", "0", 3), ("b/2", "b", "1", 7), ("b/3", "b", "2", 7)]
    with WorkTable() as table:
        table.sql.executemany(
            "INSERT INTO image (path, class_name, sha256, cluster) VALUES (?, ?, ?, ?)", images
        )
        gather(table, 0, keep=False)
        assert own(table) == {"a": 4, "b": 1}


def author(side: str, numbers) -> list[tuple]:
    return [
        (f"{side}/{name}/{number}.png", name, contents([f"{name}{number}"])[0], hash((name, number)))
        for name in "ab"
        for number in numbers
    ]


def test_the_authors_split_is_kept_and_what_it_lacks_is_drawn_from_train():
    images = [*author("train", range(200)), *author("test", range(200, 240))]
    sides = split(images, keep=True)
    assert {sides[path] for path in sides if path.startswith("test")} == {"test"}
    drawn = Counter(sides[path] for path in sides if path.startswith("train"))
    assert set(drawn) == {"train", "val"}
    assert drawn["val"] / 400 == pytest.approx(1 / 9, abs=0.05)


def test_of_a_cluster_on_several_given_sides_only_the_last_side_is_kept():
    leak = ("train/a/copy.png", "a", "f", hash(("a", 205)))
    images = [
        *author("train", range(20)),
        *author("valid", range(100, 105)),
        *author("test", range(200, 210)),
        leak,
    ]
    with WorkTable() as table:
        table.sql.executemany(
            "INSERT INTO image (path, class_name, sha256, cluster) VALUES (?, ?, ?, ?)",
            [*images, ("stray/a/1.png", "a", "e", 99)],
        )
        gather(table, 0, keep=True)
        assign(table, FRACTIONS, keep=True)
        assert dict(table.rejected()) == {
            "stray/a/1.png": "in no folder called train, val or test",
            "train/a/copy.png": "looks the same as test/a/205.png, which is in the given test",
        }
        assert table.count() == 70


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([*author("train", range(9)), *author("test", range(20, 29))[:9]], "class 'b' has no image in test"),
        (author("test", range(9)), "no image in a folder called train"),
    ],
)
def test_a_given_split_that_leaves_a_class_out_is_refused(images, message):
    with pytest.raises(InputError, match=message):
        split(images, keep=True)
