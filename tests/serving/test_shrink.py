"""Photos made small enough to send: what changes and what doesn't."""

import io

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from imaging import ImageError, prepare
from serving.predictor import load_predictor
from serving.shrink import LONGEST, SHORTEST, shrink

BUDGET = 1_100_000


@pytest.fixture(scope="module")
def photo():
    """Encode a real photo of a flower, as large as a phone's."""

    def make(width=4000, kind="JPEG", **options):
        image = Image.fromarray(load_sample_image("flower.jpg"))
        image = image.resize((width, width * image.height // image.width), Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        return buffer.getvalue()

    return make


def opened(data):
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image


def test_small_files_are_sent_as_they_are(photo):
    small = photo(640)
    assert shrink(small, BUDGET) is small
    assert shrink(b"no image", BUDGET) == b"no image"  # the server says so


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_phones_photo_loses_size_and_keeps_what_the_network_sees(photo, kind, tiny_bundle):
    data = photo(kind=kind)
    smaller = shrink(data, BUDGET)
    assert len(smaller) < 300_000 < len(data)
    assert max(opened(smaller).size) == LONGEST
    predictor = load_predictor(str(tiny_bundle))
    before, after = (predictor.probabilities(each) for each in (data, smaller))
    assert before.argmax() == after.argmax()
    assert np.abs(before - after).max() < 0.02
    pixels = [prepare(each, predictor.bundle.image).astype(float) for each in (data, smaller)]
    assert np.abs(pixels[0] - pixels[1]).mean() < 2


def test_a_photo_that_lies_on_its_side_is_sent_upright(photo):
    exif = Image.Exif()
    exif[0x0112] = 6
    smaller = opened(shrink(photo(exif=exif), BUDGET))
    assert smaller.width < smaller.height
    assert smaller.getexif().get(0x0112, 1) == 1


def test_quality_gives_way_before_size_does():
    noise = np.random.default_rng(0).integers(0, 256, (1500, 2000, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    sizes = {budget: opened(shrink(buffer.getvalue(), budget)).size for budget in (900_000, 350_000, 100_000)}
    assert sizes[900_000] == sizes[350_000] == (1024, 768)
    assert sizes[100_000] < (1024, 768)
    assert all(len(shrink(buffer.getvalue(), budget)) <= budget for budget in sizes)


def test_a_panorama_keeps_pixels_across():
    buffer = io.BytesIO()
    Image.effect_noise((9000, 900), 50).convert("RGB").save(buffer, "PNG")
    assert min(opened(shrink(buffer.getvalue(), 10_000_000)).size) == SHORTEST


def test_what_is_too_large_and_no_image_is_told_so():
    with pytest.raises(ImageError, match="not an image"):
        shrink(bytes(2_000_000), BUDGET)


def test_what_a_server_does_not_take_is_sent_as_a_jpeg():
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(buffer, "AVIF")
    assert opened(shrink(buffer.getvalue(), BUDGET)).format == "JPEG"
