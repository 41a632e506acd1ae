"""The chain of docker-compose.yml: everything between the stages crosses through the emulated bucket."""

import io
import zipfile

import pytest
import requests

from contracts import storage
from contracts.bundle import ModelBundle
from contracts.champion import Champion

pytestmark = pytest.mark.containers

TRAIN = "--epochs 1 --wandb offline"


@pytest.fixture(scope="module")
def chain(compose, images, engine, eventually):
    """The project after download, process, records and a training that was stopped once."""
    for service in ("download", "process", "records"):
        compose.stage(service)
    name = f"{compose.project}-stopped"
    compose("run", "--detach", "--name", name, "train", ARGS=TRAIN)
    container = engine.containers.get(name)
    eventually(lambda: b"epoch 1 of 1" in container.logs())
    container.stop(timeout=120)
    assert container.wait()["StatusCode"] == 143, container.logs().decode()
    container.remove()
    said = compose.stage("train", TRAIN)
    assert '"event": "bundle written"' in said
    return compose


@pytest.fixture
def from_here(chain, monkeypatch):
    """Let this process talk to the project's bucket."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", chain.address("storage", 9023))


def test_shards_are_byte_for_byte_those_of_a_local_run(from_here, local_shards, tmp_path):
    storage.download_many("gs://chrysalis/processed/digits", local_shards, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == local_shards
    assert len(storage.list_files("gs://chrysalis/processed/digits")) == len(local_shards)


def test_a_second_run_sees_that_all_is_there(chain):
    for service in ("download", "process", "records"):
        assert "up to date" in chain.stage(service)
    assert "epoch 1 of 1" not in chain.stage("train", TRAIN)


def test_buckets_outlive_their_server(chain, from_here, monkeypatch):
    before = ModelBundle.read("gs://chrysalis/models/digits/vgg16")
    chain("rm", "--stop", "--force", "storage")
    chain("up", "--detach", "--wait", "storage")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", chain.address("storage", 9023))
    assert ModelBundle.read("gs://chrysalis/models/digits/vgg16") == before


def test_only_what_the_gate_blessed_is_served_where_that_is_required(chain, from_here):
    model = "gs://chrysalis/models/digits/vgg16"
    check = ["run", "--rm", "-T", "serving", "--model", model, "--check"]
    assert "wasn't judged" in chain(*check, code=2, REQUIRE_BLESSED="1")
    assert "refused: The accuracy is " in chain("run", "--rm", "-T", "gate", code=1, ARGS="--min-accuracy 1")
    assert "asked is at least 1" in chain(*check, code=2, REQUIRE_BLESSED="1")
    assert chain.stage("gate", "--min-accuracy 0").rstrip().endswith("It is the champion.")
    assert Champion.read("gs://chrysalis/models/digits").uri("gs://chrysalis/models/digits") == model
    assert "fit to be served" in chain(*check, REQUIRE_BLESSED="1")


def test_the_served_model_answers_and_ends_when_told(chain, engine, pytestconfig):
    chain("up", "--detach", "--wait", "serving")
    address = chain.address("serving", 8080)
    archive = zipfile.ZipFile(io.BytesIO((pytestconfig.rootpath / "data/sources/digits.zip").read_bytes()))
    digit = archive.read(next(name for name in archive.namelist() if name.endswith(".png")))
    answer = requests.post(f"{address}/predict", files={"file": digit}, timeout=30)
    assert answer.status_code == 200
    [prediction] = answer.json()["predictions"]
    assert prediction["class"] in set("0123456789")
    assert "<html" in requests.get(address, timeout=30).text
    [container] = engine.containers.list(
        filters={
            "label": [f"com.docker.compose.project={chain.project}", "com.docker.compose.service=serving"]
        }
    )
    chain("stop", "--timeout", "60", "serving")
    assert container.wait()["StatusCode"] == 0


def test_tensorboard_finds_the_run(chain, eventually):
    chain("up", "--detach", "tensorboard")
    address = chain.address("tensorboard", 6006)
    assert eventually(lambda: requests.get(f"{address}/data/runs", timeout=10).json()) == ["vgg16/logs"]
    chain("stop", "tensorboard")


def test_a_stage_that_fails_says_so_in_a_line(chain):
    said = chain("run", "--rm", "-T", "records", code=2, NAME="absent")
    assert "manifest.json" in said
    assert "Traceback" not in said
