"""`python -m serving.predict`, in its own process and by a server."""

import json
import re
import shutil

import pytest
from PIL import Image, ImageChops, ImageColor
from typer.testing import CliRunner

from contracts import storage
from serving import picture as drawing
from serving import predict
from serving.picture import bar
from serving.predictor import Ranked


@pytest.fixture
def photos(tmp_path, picture):
    for colour in ("blue", "red"):
        (tmp_path / f"{colour}.png").write_bytes(picture(colour))
    Image.new("RGB", (50, 50), "grey").save(tmp_path / "grey.png")
    (tmp_path / "notes.txt").write_text("hello")
    return tmp_path


@pytest.fixture(params=["model", "url"])
def whom(request, tiny_bundle, server):
    return ["--model", str(tiny_bundle)] if request.param == "model" else ["--url", server.url]


def test_images_get_a_table(run_module, whom, photos):
    images = [str(photos / "red.png"), str(photos / "blue.png")]
    process = run_module("serving.predict", *whom, "--top-k", "2", *images, PYTHONIOENCODING="utf-8")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    first, best, second, other, *_ = output.splitlines()
    assert [first, other] == images
    assert best.split()[0] == "red"
    assert "%" in second


def test_lines_of_json_say_what_isnt_sure(run_module, whom, photos):
    images = [str(photos / f"{name}.png") for name in ("red", "grey")] * 10  # more than go together
    process = run_module("serving.predict", *whom, "--json", "--threshold", "0.9999", "--top-k", "1", *images)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    lines = [json.loads(line) for line in output.splitlines()]
    assert [line["image"] for line in lines] == images
    assert [line["class"] for line in lines][::2] == ["red"] * 10
    assert [line["sure"] for line in lines] == [True, False] * 10
    assert {len(line["top"]) for line in lines} == {1}
    assert '"done": 20' in errors.splitlines()[-1]


def test_a_table_says_what_isnt_sure(whom, photos):
    result = CliRunner().invoke(predict.app, [*whom, "--threshold", "0.9999", str(photos / "grey.png")])
    assert result.stdout.splitlines()[0] == f"{photos / 'grey.png'}  not sure"


def test_a_bad_image_is_named_and_the_rest_is_done(run_module, whom, photos):
    images = [str(photos / name) for name in ("notes.txt", "caf\udce9.png", "red.png", "none.png")]
    process = run_module("serving.predict", *whom, *images, PYTHONIOENCODING="utf-8")
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert output.splitlines()[0] == images[2]
    said = errors.splitlines()[-1]
    assert "notes.txt: not an image" in said
    assert "none.png doesn't exist" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["x.png"], "--model"),
        (["--url", "http://127.0.0.1:9", "{red}"], "is the server running"),
        (["--url", "nonsense", "{red}"], "nonsense"),
        (["--url", "http://127.0.0.1:9", "--model", "bundle", "{red}"], "either --model or --url"),
        (["--url", "http://127.0.0.1:9", "."], "is a folder: name its images"),
        (["--model", "/no/such/bundle", "{red}"], "bundle.json"),
    ],
)
def test_bad_arguments_are_one_line(run_module, photos, arguments, said):
    arguments = [argument.format(red=photos / "red.png") for argument in arguments]
    process = run_module("serving.predict", *arguments)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert len(errors.splitlines()) == 1
    assert said in errors


def colours(picture, row):
    """The colours along the middle of a class's bar, from its left to its right end."""
    place = bar(row)
    middle = (place.top + place.bottom) // 2
    return [picture.getpixel((column, middle)) for column in range(place.left, place.right)]


def test_a_picture_has_the_photo_upright_and_bars_as_long_as_probable(run_module, whom, photos, tmp_path):
    (tmp_path / "other").mkdir()
    turned = Image.new("RGB", (60, 30), "red")
    exif = Image.Exif()
    exif[0x0112] = 6  # stands on its side
    turned.save(tmp_path / "other/red.jpg", exif=exif)
    images = ["red.png", "other/red.jpg"]
    arguments = [*whom, "--show-in", str(tmp_path / "new/pictures"), *(str(photos / name) for name in images)]
    process = run_module("serving.predict", *arguments, PYTHONIOENCODING="utf-8")
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    pictures = sorted((tmp_path / "new/pictures").iterdir())
    assert [file.name for file in pictures] == ["red-2.prediction.png", "red.prediction.png"]
    assert all(file.name in errors for file in pictures)
    percent = float(re.search(r"red +([\d.]+)%", output).group(1))
    with Image.open(pictures[1]) as opened:
        card = opened.convert("RGB")
    assert card.size == (drawing.WIDTH, 2 * drawing.EDGE + 2 * drawing.PADDING + drawing.PHOTO)
    along = colours(card, 0)
    accent = sum(colour == ImageColor.getrgb(drawing.ACCENT) for colour in along)
    assert along[:accent] == [ImageColor.getrgb(drawing.ACCENT)] * accent
    assert 100 * accent / len(along) == pytest.approx(percent, abs=0.3)
    second = sum(colour == ImageColor.getrgb(drawing.SECOND) for colour in colours(card, 1))
    assert second < accent
    with Image.open(pictures[0]) as opened:
        photo = opened.convert("RGB").crop((0, 0, bar(0).left - 1, card.height))
    red = ImageChops.difference(photo, Image.new("RGB", photo.size, drawing.SURFACE)).convert("L")
    left, top, right, bottom = red.point(lambda value: 255 * (value > 60)).getbbox()
    assert (right - left, bottom - top) == (drawing.PHOTO // 2, drawing.PHOTO)


def test_show_writes_into_this_folder_and_over_no_image(tiny_bundle, photos, monkeypatch):
    shutil.copy(photos / "red.png", photos / "red.prediction.png")
    before = (photos / "red.prediction.png").read_bytes()
    monkeypatch.chdir(photos)
    monkeypatch.setenv("CHRYSALIS_MODEL", str(tiny_bundle))
    result = CliRunner().invoke(predict.app, ["--show", "red.png", "red.prediction.png"])
    assert result.exit_code == 0
    assert (photos / "red.prediction.png").read_bytes() == before
    assert {file.name for file in photos.glob("*.prediction*.png")} == {
        "red.prediction.png",
        "red-2.prediction.png",
        "red.prediction.prediction.png",
    }


def test_pictures_of_a_bucket_lie_in_a_bucket(tiny_bundle, picture, bucket):
    storage.write_bytes(f"{bucket}/photos/red.png", picture("red"))
    arguments = ["--model", str(tiny_bundle), "--show-in", f"{bucket}/shown", f"{bucket}/photos/red.png"]
    assert CliRunner().invoke(predict.app, arguments).exit_code == 0
    assert storage.read_bytes(f"{bucket}/shown/red.prediction.png").startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "names",
    [
        ["a class whose name is so long that it takes two lines or three on any card", "b"],
        ["猫", "Größe", "собака", "قطة", "two\nlines", ""],
        ["one"],
        [str(number) for number in range(30)],
    ],
)
def test_any_class_names_are_drawn(names):
    best = [Ranked(name, 1 / len(names)) for name in names]
    card = drawing.draw(Image.new("RGB", (4000, 3)), "a name.png", best)
    assert card.width == drawing.WIDTH
    assert card.height > bar(len(names) - 1).bottom
    beyond = card.crop((bar(0).right, 0, card.width, card.height))
    drawn = {colour for _, colour in beyond.getcolors()}
    assert ImageColor.getrgb(drawing.INK) not in drawn
