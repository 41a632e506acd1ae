"""The table of images fits the Dockerfiles, and what jobs ask for."""

import re

import pytest

from contracts.errors import InputError
from vertex.images import ROOT, chosen, models, of_the_chain, table
from vertex.stages import Request, Stage, task


@pytest.mark.parametrize("image", table().values(), ids=lambda image: image.name)
def test_an_image_has_its_dockerfile_and_target(image):
    text = (ROOT / image.dockerfile).read_text()
    targets = re.findall(r"^FROM \S+ AS (\S+)$", text, re.MULTILINE)
    # Without a target the last stage is built, which then has no name.
    assert image.target in targets if image.target else not text.rsplit("FROM ", 1)[1].count(" AS ")
    title = re.findall(r'image\.title="chrysalis/([^"]+)"', text)
    assert image.name in title


@pytest.mark.parametrize("gpu", [0, 1])
@pytest.mark.parametrize("stage", list(Stage))
def test_every_job_finds_its_image_among_the_chains(stage, gpu):
    gpus = gpu if stage is Stage.TRAIN else None
    assert task(Request(stage, "gs://b", "digits", gpu=gpus)).image in of_the_chain("vgg16")


def test_images_are_chosen():
    assert [image.name for image in chosen([], "cnn")] == of_the_chain("cnn")
    assert [image.name for image in chosen(["beam", "beam"], "cnn")] == ["beam"]
    assert {image.name for image in chosen([], "cnn", every=True)} == {*table()}
    assert models() == ["cnn", "keras_applications", "vgg16", "xception"]


@pytest.mark.parametrize(
    ("names", "every", "message"),
    [(["vgg19"], False, "one of download, .*got 'vgg19'"), (["beam"], True, "leave beam out")],
)
def test_a_wrong_choice_is_told(names, every, message):
    with pytest.raises(InputError, match=message):
        chosen(names, "cnn", every=every)
