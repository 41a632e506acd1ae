"""`python -m serving.predict`, in its own process and by a server."""

import pytest


@pytest.fixture
def photos(tmp_path, picture):
    for colour in ("blue", "red"):
        (tmp_path / f"{colour}.png").write_bytes(picture(colour))
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


def test_a_bad_image_is_named_and_the_rest_is_done(run_module, whom, photos):
    images = [str(photos / name) for name in ("notes.txt", "red.png", "none.png")]
    process = run_module("serving.predict", *whom, *images, PYTHONIOENCODING="utf-8")
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert output.splitlines()[0] == images[1]
    said = errors.splitlines()[-1]
    assert "notes.txt: not an image" in said
    assert "none.png doesn't exist" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["x.png"], "--model"),
        (["--url", "http://127.0.0.1:9", "{red}"], "is the server running"),
        (["--url", "nonsense", "{red}"], "nonsense"),
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
