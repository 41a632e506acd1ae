"""The records image's target beam: who starts a job, and the container of its workers."""

import os
import shutil
import subprocess
import uuid
from pathlib import Path

import docker
import pytest

from datapipeline.download.dataloader import dataloader
from datapipeline.records.build_records import BuildConfig, build_records
from datapipeline.records.process import ProcessConfig, process

pytestmark = pytest.mark.containers

SDK = "apache/beam_python3.12_sdk:2.77.0"
HERE = Path(__file__).parent
DOCKERFILE = "src/datapipeline/records/Dockerfile"
CONNECT = "import socket; socket.create_connection(('localhost', 50000), 5)"
WORKERS = ("--job_endpoint=embed", "--environment_type=EXTERNAL", "--environment_config=localhost:50000")


@pytest.fixture(scope="module")
def sdk(engine, tmp_path_factory):
    """Beam's own image, or where it can't be pulled one that holds a stand-in for its program."""
    try:
        engine.images.pull(SDK)
    except docker.errors.APIError:
        folder = tmp_path_factory.mktemp("sdk")
        shutil.copy(HERE / "beam_boot.py", folder / "boot")
        (folder / "boot").chmod(0o755)
        (folder / "Dockerfile").write_text("FROM scratch\nCOPY boot /opt/apache/beam/boot\n")
        engine.images.build(path=str(folder), tag=SDK)
        yield
        engine.images.remove(SDK)
    else:
        yield


@pytest.fixture(scope="module")
def targets(engine, sdk, pytestconfig):
    """The targets of the records image, by name."""
    built = {}
    for target in ("process", "records", "beam"):
        tag = f"chrysalis/{target}:beam-test"
        subprocess.run(
            f"docker build --quiet --target {target} --tag {tag} --file {DOCKERFILE} .".split(),
            cwd=pytestconfig.rootpath,
            capture_output=True,
            check=True,
        )
        built[target] = engine.images.get(tag)
    yield built
    for image in built.values():
        engine.images.remove(image.tags[0], force=True)


@pytest.fixture
def run(engine, targets, tmp_path):
    """Run the beam image on `tmp_path` as /work, to its end; what it wrote."""

    def run(*arguments, **options):
        return engine.containers.run(
            targets["beam"],
            list(arguments),
            **{
                "user": f"{os.getuid()}:{os.getgid()}",
                "volumes": {str(tmp_path): {"bind": "/work", "mode": "rw"}},
                "network_mode": "host",
                "stderr": True,
                "remove": True,
                **options,
            },
        )

    return run


@pytest.fixture
def worker_pool(run, eventually):
    """The image as the side-car of a Flink or Spark worker."""
    container = run("--worker_pool", name=f"beam-{uuid.uuid4().hex[:8]}", detach=True, remove=False)
    try:
        eventually(lambda: container.exec_run(["python", "-c", CONNECT]).exit_code == 0)
        yield container
    finally:
        container.remove(force=True)


def test_only_its_own_target_holds_beam(engine, targets):
    look = "import importlib.util; print(importlib.util.find_spec('apache_beam') is not None)"
    held = {
        name: engine.containers.run(image, ["-c", look], entrypoint="python", remove=True).strip()
        for name, image in targets.items()
    }
    assert held == {"process": b"False", "records": b"False", "beam": b"True"}
    assert targets["records"].attrs["Size"] < 450_000_000 < targets["beam"].attrs["Size"]


def test_to_its_user_it_is_the_records_image(run):
    said = run("--help", network_mode="none", user="12345:12345").decode()
    assert "Usage: python -m datapipeline.records.build_records" in said


def test_to_a_runner_it_is_a_worker(run):
    with pytest.raises(docker.errors.ContainerError, match="provision endpoint provided"):
        run("--id=1")


@pytest.fixture
def interim(tmp_path):
    """The digits, processed, in `tmp_path`."""
    raw, interim = str(tmp_path / "raw/digits"), str(tmp_path / "interim/digits")
    dataloader("digits", raw)
    process(raw, interim, ProcessConfig())
    return interim


def test_workers_in_containers_make_the_same_bytes(run, worker_pool, interim, tmp_path):
    folders = ("--input", "interim/digits", "--output", "processed/digits", "--shards", "2")
    said = run(*folders, "--runner", "PortableRunner", *WORKERS).decode()
    assert '"event": "sharded"' in said
    assert '"event": "beam"' not in said
    assert b"Starting worker with command" in worker_pool.logs()
    build_records(interim, str(tmp_path / "here"), BuildConfig(shards=2))
    assert _contents(tmp_path / "processed/digits") == _contents(tmp_path / "here")


def _contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}
