"""What the images are: small, for any user, and holding neither what they don't need nor a key."""

import json
import subprocess

import pytest

pytestmark = pytest.mark.containers

MODELS = ["cnn", "keras_applications", "vgg16", "xception"]
MEGABYTES = {"download": 300, "process": 450, "records": 450, "serving": 450} | dict.fromkeys(MODELS, 2000)


@pytest.mark.parametrize("name", MEGABYTES)
def test_an_image_is_small(images, name):
    assert images[name].attrs["Size"] <= MEGABYTES[name] * 1_000_000


@pytest.mark.parametrize("name", MEGABYTES)
def test_any_user_may_run_an_image_and_see_what_it_does(engine, images, name):
    assert images[name].attrs["Config"]["User"] == "65532:65532"
    said = engine.containers.run(
        images[name],
        ["--help"],
        user="12345:12345",
        network_disabled=True,
        read_only=True,
        tmpfs={"/tmp": ""},
        remove=True,
    )
    assert b"Usage: python -m" in said


@pytest.mark.parametrize("name", ["download", "process", "records", "serving"])
def test_only_the_trainer_holds_tensorflow(engine, images, name):
    look = (
        "import importlib.util; print([importlib.util.find_spec(name) for name in ('tensorflow', 'keras')])"
    )
    said = engine.containers.run(images[name], ["-c", look], entrypoint="python", remove=True)
    assert said.decode().strip() == "[None, None]"


def test_the_builder_sees_only_what_is_copied(pytestconfig, tmp_path):
    subprocess.run(
        ["docker", "build", "--quiet", "--file", "-", "--output", str(tmp_path), "."],
        input="FROM scratch\nCOPY . /\n",
        cwd=pytestconfig.rootpath,
        text=True,
        capture_output=True,
        check=True,
    )
    assert {path.name for path in tmp_path.iterdir()} == {"data", "deploy", "src"}
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"sources"}


def test_keys_come_as_files_and_are_nowhere_else(engine, compose, images):
    for image in images.values():
        assert compose.key not in json.dumps([image.attrs, image.history()])
    name = f"{compose.project}-keys"
    compose("run", "--detach", "--no-deps", "--name", name, "--entrypoint", "sleep", "train", "600")
    container = engine.containers.get(name)
    try:
        assert compose.key not in json.dumps(container.attrs)
        read = 'import os, pathlib; print(pathlib.Path(os.environ["WANDB_API_KEY_FILE"]).read_text())'
        assert container.exec_run(["python", "-c", read]).output.decode().strip() == compose.key
        given = container.exec_run(["python", "-c", "import os; print(os.environ)"]).output.decode()
        assert "'GOOGLE_APPLICATION_CREDENTIALS': ''" in given
    finally:
        container.remove(force=True)
