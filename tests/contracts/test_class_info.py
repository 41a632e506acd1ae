"""What a bundle tells of its classes: read, refused in a line, and verified where the bundle lists it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.bundle import Calibration, ImageSpec, LiteRT, ModelBundle
from contracts.class_info import CLASS_INFO, ClassInfo, class_info_of, parse_class_info, read_class_info
from contracts.errors import InputError

NAMES = ("007", "7", "constructor", "daisy", "no", "null")
LINK = "https://en.wikipedia.org/wiki/Bellis_perennis"


def parse(text: str) -> dict[str, ClassInfo]:
    return parse_class_info(text.encode(), "info.yaml", NAMES)


def test_a_class_has_a_text_a_link_or_both() -> None:
    info = parse(
        f"daisy: {{text: Grün im Winter., link: {LINK}}}\nno: {{text: none}}\n7: {{link: 'http://a.b'}}"
    )
    assert info["daisy"] == ClassInfo(text="Grün im Winter.", link=LINK)
    assert info["no"].link is None
    assert info["7"].text == ""


def test_names_are_as_they_stand_there_and_no_numbers_or_truths() -> None:
    assert list(parse("".join(f"{name}: {{text: t}}\n" for name in NAMES))) == list(NAMES)


@pytest.mark.parametrize("text", ["", "# none yet\n", "{}"])
def test_a_file_may_tell_nothing(text: str) -> None:
    assert parse(text) == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("dasy: {text: t}", r"info\.yaml tells of the class dasy, .* expected some of 007, 7, constructor"),
        ("daisy: {text: " + "a" * 501 + "}", "daisy, text: .*at most 500"),
        ("daisy: {link: 'javascript:alert(1)'}", "daisy, link: expected a link that begins with https://"),
        ("daisy: {link: 'https://a b.c'}", "daisy, link"),
        ("daisy: {link: 'https://[1'}", "daisy, link"),
        ("daisy: {link: //a.b}", "daisy, link"),
        ("daisy: {texts: t}", "daisy, texts"),
        ("daisy: {text: [a]}", "daisy, text"),
        ("daisy: {text: ' '}", "daisy: expected a text, a link, or both"),
        ("daisy: t", "daisy: "),
        ("[daisy]", "the file: "),
        ("daisy: {text: t}\ndaisy: {text: u}", "the key daisy stands there twice"),
        ("daisy: {", "isn't YAML"),
        ("a: &a [*a]", "isn't YAML"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as error:
        parse(text)
    assert "\n" not in str(error.value)


@given(st.binary(max_size=60) | st.text("daisy:{}[]&*!- \ntextlink'\"", max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        parse_class_info(content, "info.yaml", NAMES)
    except InputError as error:
        assert "info.yaml" in str(error)


@pytest.mark.parametrize("name", ["absent", ""])
def test_a_named_file_must_be_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"there is no file .*expected a class_info\.yaml"):
        read_class_info(str(tmp_path / name), NAMES)


def make_bundle() -> ModelBundle:
    return ModelBundle(
        name="run",
        architecture="cnn",
        dataset="digits",
        dataset_digest="0",
        created_at="2026-01-01T00:00:00Z",
        class_names=NAMES,
        image=ImageSpec(size=8, record_size=8, resize="crop"),
        calibration=Calibration(temperature=1.2, examples=1),
        litert=LiteRT(quantization="float16", agreement=1, examples=1),
        golden=({"file": "golden/00.jpg", "probabilities": (1,)},),
        golden_tolerance=0.02,
        metrics={},
        config={},
        git_commit=None,
        packages={},
        wandb_run=None,
        files={},
    )


def test_a_bundle_without_the_file_tells_nothing(tmp_path: Path) -> None:
    assert class_info_of(str(tmp_path), make_bundle()) == {}


def test_a_file_beside_a_bundle_is_used_and_may_be_changed(tmp_path: Path) -> None:
    file = tmp_path / CLASS_INFO
    bundle = make_bundle()
    for text in ("t", "u"):
        file.write_text(f"daisy: {{text: {text}}}")
        assert class_info_of(str(tmp_path), bundle)["daisy"].text == text
