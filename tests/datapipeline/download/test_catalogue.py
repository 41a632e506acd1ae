"""The catalogue's entries, and the digits that the repository carries."""

import importlib.util
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from contracts.errors import InputError
from datapipeline.download import catalogue

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", catalogue.names(catalogue.FOLDER))
def test_every_entry_is_valid(name):
    entry = catalogue.read(name, catalogue.FOLDER)
    assert entry.licence
    assert entry.url.startswith("http") or (catalogue.FOLDER / entry.url).stat().st_size == entry.bytes


def test_the_promised_names_are_there():
    assert {"digits", "flowers", "dogs"} <= set(catalogue.names(catalogue.FOLDER))


@pytest.mark.parametrize(
    ("text", "message"),
    [("url = 3", "isn't a catalogue entry: description: Field required"), ("url =", "isn't TOML")],
)
def test_a_bad_entry_is_named(tmp_path, text, message):
    (tmp_path / "moths.toml").write_text(text)
    with pytest.raises(InputError, match=f"moths.toml {message}"):
        catalogue.read("moths", tmp_path)


@pytest.fixture(scope="module")
def make_digits():
    spec = importlib.util.spec_from_file_location("make_digits", ROOT / "tools/make_digits.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_digits_are_reproduced_byte_for_byte(make_digits, tmp_path):
    make_digits.write(tmp_path / "digits.zip")
    assert (tmp_path / "digits.zip").read_bytes() == (catalogue.FOLDER / "digits.zip").read_bytes()


def test_the_digits_are_scikit_learns(make_digits):
    expected = {digit: iter(load_digits().images[load_digits().target == digit]) for digit in range(10)}
    members = make_digits.members()
    for name, data in members:
        image = Image.open(io.BytesIO(data))
        assert (image.format, image.mode, image.size) == ("PNG", "L", (8, 8))
        of_sixteen = np.asarray(image) / 255 * 16
        assert np.allclose(of_sixteen, next(expected[int(name[0])]), atol=0.04)
    assert len(members) == 1797
