import io
import random
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from datapipeline.records import duplicates
from datapipeline.records.appearance import look
from datapipeline.records.duplicates import MAX_BITS, candidates, cluster, drop, groups
from datapipeline.records.worktable import WorkTable


def scene(seed: int, tint=(0, 0, 0)) -> Image.Image:
    """Something like a photo: blobs of several sizes on a gradient."""
    rng = np.random.default_rng(seed)
    image = Image.fromarray(rng.integers(0, 256, (4, 5, 3), np.uint8)).resize((400, 300), Image.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y, radius = rng.integers(0, 400), rng.integers(0, 300), rng.integers(10, 60)
        colour = tuple(int(value) for value in rng.integers(0, 256, 3))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    return Image.fromarray(np.clip(np.asarray(image) + np.array(tint), 0, 255).astype(np.uint8))


def compressed(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def captioned(image: Image.Image) -> Image.Image:
    image = image.copy()
    ImageDraw.Draw(image).text((10, 280), "(c) somebody", fill="white")
    return image


EDITS = {
    "half": lambda image: image.resize((200, 150)),
    "small and compressed": lambda image: compressed(image.resize((160, 120)), 30),
    "lighter": lambda image: ImageEnhance.Brightness(image).enhance(1.15),
    "more contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.1),
    "captioned": captioned,
    "cropped": lambda image: image.crop((4, 3, 396, 297)),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(2)),
}


def clustered(images: dict[str, tuple[str, Image.Image]], near: bool = True, dropping: bool = False):
    """The groups of images that look the same, and what was dropped; images are by path: class and image."""
    with WorkTable() as table:
        for path, (class_name, image) in images.items():
            sha256, width, height = hash(image.tobytes()), *image.size
            table.sql.execute(
                "INSERT INTO image (path, class_name, sha256, width, height, hash, thumbnail, brightness,"
                " sharpness) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (path, class_name, f"{sha256:x}", width, height, *look(image)),
            )
        cluster(table, near=near)
        if dropping:
            drop(table)
        found: dict[int, set[str]] = {}
        for number, path, *_ in groups(table):
            found.setdefault(number, set()).add(path)
        return list(found.values()), dict(table.rejected())


def test_an_image_is_found_again_after_common_edits_and_others_are_not():
    images = {f"{seed}": ("a", scene(seed)) for seed in range(60)}
    for seed in range(6):
        for name, edit in EDITS.items():
            images[f"{seed} {name}"] = ("a", edit(scene(seed)))
    found, _ = clustered(images)
    assert found == [{path for path in images if path.split()[0] == f"{seed}"} for seed in range(6)]


def test_only_copies_are_found_where_the_rest_is_ignored():
    images = {"1": ("a", scene(1)), "2": ("b", scene(1)), "3": ("a", EDITS["half"](scene(1)))}
    assert clustered(images, near=False)[0] == [{"1", "2"}]
    assert clustered(images)[0] == [{"1", "2", "3"}]


def test_the_same_thing_in_another_colour_is_another_thing():
    brick = Image.new("RGB", (200, 200), "white")
    draw = ImageDraw.Draw(brick)
    draw.rectangle((50, 80, 150, 130), fill=(160, 30, 30))
    draw.ellipse((60, 60, 90, 90), fill=(160, 30, 30))
    red, blue = (Image.merge("RGB", bands) for bands in (brick.split(), brick.split()[::-1]))
    assert clustered({"red": ("red", red), "blue": ("blue", blue)})[0] == []
    flat = {name: (name, Image.new("RGB", (32, 32), name)) for name in ("red", "green", "blue", "black")}
    assert clustered(flat)[0] == []
    assert clustered({**flat, "copy": ("red", Image.new("RGB", (64, 64), "red"))})[0] == [{"copy", "red"}]


def test_dropping_keeps_the_largest_of_each_class():
    images = {
        "a/large": ("a", scene(1)),
        "a/small": ("a", EDITS["half"](scene(1))),
        "b/mislabelled": ("b", EDITS["lighter"](scene(1))),
        "b/own": ("b", scene(2)),
    }
    found, rejected = clustered(images, dropping=True)
    assert rejected == {"a/small": "looks the same as a/large"}
    assert found == [{"a/large", "b/mislabelled"}], "what two classes claim stays to be seen"


@pytest.mark.parametrize("spread", [3, 20])
@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 1000), count=st.integers(0, 60))
def test_every_close_pair_of_hashes_is_found(spread, seed, count):
    draw = random.Random(seed)
    centres = [draw.getrandbits(64) for _ in range(4)]
    values = [
        draw.choice(centres) ^ sum(1 << draw.randrange(64) for _ in range(draw.randrange(spread)))
        for _ in range(count)
    ]
    hashes = np.sort(np.array([value & (2**64 - 1) for value in values], np.uint64).view(np.int64))
    unjoined = np.arange(count)
    found = set(candidates(hashes, unjoined))
    assert len(found) == len(list(candidates(hashes, unjoined))), "none is found twice"
    firsts = {int(value): index for index, value in reversed(list(enumerate(hashes)))}
    for one, other in combinations(range(count), 2):
        leaders = firsts[int(hashes[one])], firsts[int(hashes[other])]
        close = int(hashes[one] ^ hashes[other]).bit_count() <= MAX_BITS
        if leaders == (one, other) or (hashes[one] == hashes[other] and one == leaders[0]):
            assert ((one, other) in found) == close


def test_of_thousands_that_look_the_same_few_pairs_are_compared(monkeypatch):
    rng = np.random.default_rng(0)
    grey = np.asarray(scene(1).resize((32, 32)), np.int16)
    images = {
        str(number): (
            "a",
            Image.fromarray((grey + rng.integers(-2, 3, grey.shape)).clip(0, 255).astype(np.uint8)),
        )
        for number in range(2000)
    }
    compared, alike = [], duplicates._alike
    monkeypatch.setattr(duplicates, "_alike", lambda one, other: compared.append(1) or alike(one, other))
    found, _ = clustered(images)
    assert found == [set(images)]
    assert len(compared) < 10 * len(images)  # of two million pairs
