"""`python -m vertex push` to a real registry: what arrives is the image of the commit."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from requests import Session
from tests.containers.oci_registry import serving

from vertex.doctor.question import Question
from vertex.doctor.resources import look_at_images
from vertex.google_api import Google

pytestmark = pytest.mark.containers

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


def push(registry, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vertex", "push", *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": "src",
            "CHRYSALIS_IMAGES": f"{registry.address}/my-project/chrysalis",
        },
        capture_output=True,
        text=True,
    )


def test_an_image_arrives_whole_and_its_tags_resolve(engine, images, registry):
    done = push(registry, "download", "--dirty")  # whether or not this checkout is clean
    assert done.returncode == 0, done.stdout + done.stderr
    pushed = [line.split()[-1] for line in done.stdout.splitlines() if line.startswith("docker push")]
    try:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
        assert pushed[0].partition(":")[2].partition(":")[2].startswith(commit[:12])
        for reference in pushed:
            name, _, tag = reference.removeprefix(f"{registry.address}/").partition(":")
            manifest = registry.manifest(name, tag)
            config = json.loads(registry.blob(manifest["config"]["digest"]).read_bytes())
            assert f"CHRYSALIS_GIT_COMMIT={commit.strip()}" in config["config"]["Env"]
            assert config["config"]["Entrypoint"] == ["python", "-m", "datapipeline.download.dataloader"]
            assert (config["os"], config["architecture"]) == ("linux", "amd64")
            assert len(manifest["layers"]) == len(config["rootfs"]["diff_ids"])
            assert all(
                registry.blob(part["digest"]).stat().st_size == part["size"] for part in manifest["layers"]
            )
            assert engine.images.get(reference).id == manifest["config"]["digest"]
        asked = Question(images=f"{registry.address}/my-project/chrysalis", tag=tag, model="cnn")
        with Session() as session:
            ((status, told),) = look_at_images(Google(session), asked)
        assert status == "failed"
        assert f"has no records, cnn, cnn-cuda, serving tagged {tag}: make push MODEL=cnn" in told
    finally:
        for reference in pushed:
            engine.images.remove(reference)


def test_only_built_it_pushes_nothing(engine, images, registry):
    before = {*registry.manifests}
    done = push(registry, "download", "--dirty", "--build-only")
    assert done.returncode == 0, done.stdout + done.stderr
    command = done.stdout.split()
    built = [command[index + 1] for index, word in enumerate(command) if word == "--tag"]
    assert built
    for reference in built:
        engine.images.remove(reference)
    assert {*registry.manifests} == before


def test_a_registry_that_is_away_is_one_clear_line(images, registry, engine):
    class Away:
        address = "127.0.0.1:1"

    done = push(Away, "download", "--dirty")
    assert done.returncode == 1
    assert "gcloud auth configure-docker 127.0.0.1:1" in done.stderr.splitlines()[-1]
    for reference in engine.images.get(done.stdout.split()[-1]).tags:
        if reference.startswith("127.0.0.1:1/"):
            engine.images.remove(reference)
