"""The serving image and its other targets, each run as its platform would."""

import base64
import io
import json
import socket
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
import yaml
from PIL import Image
from tests.serving.adapters.lambda_runtime import Runtime, http

from contracts import storage

pytestmark = pytest.mark.containers

ROOT = Path(__file__).parents[2]
MEGABYTES = 450
HARDENED = {
    "read_only": True,
    "user": "12345:54321",
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
}


def build(target: str | None) -> str:
    """Build a target of the serving image, or what is built without one; its name."""
    tag = f"chrysalis/serving-{target}" if target else "chrysalis/serving"
    only = ["--target", target] if target else []
    command = ["docker", "build", "--quiet", *only, "--tag", tag, "--file", "src/serving/Dockerfile", "."]
    subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return tag


@pytest.fixture(scope="module")
def photo() -> bytes:
    """What the tiny network knows as red."""
    pixels = np.random.default_rng(1).integers(0, 150, (50, 70, 3), np.uint8)
    pixels[..., 0] += 100
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def run(engine, tiny_bundle) -> Iterator[Callable]:
    """Start a container with the tiny bundle at /bundle, hardened."""
    started = []

    def start(image: str, *command: str, **options):
        container = engine.containers.run(
            image,
            list(command),
            detach=True,
            name=f"chrysalis-test-{uuid.uuid4().hex[:8]}",
            volumes=[f"{tiny_bundle}:/bundle:ro", *options.pop("volumes", [])],
            environment={"CHRYSALIS_MODEL": "/bundle", **options.pop("environment", {})},
            **{**HARDENED, **options},
        )
        started.append(container)
        return container

    yield start
    for container in started:
        container.remove(force=True)


def address(container, port: int) -> str:
    container.reload()
    return f"http://127.0.0.1:{container.ports[f'{port}/tcp'][0]['HostPort']}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_cloud_run_gives_a_port_and_nothing_to_write_to(run, eventually, photo):
    # Nor a shell: nothing can be executed under these names.
    no_shell = [f"/dev/null:/bin/{shell}:ro" for shell in ("sh", "bash", "dash")]
    container = run(
        build(None), environment={"PORT": "9090"}, ports={"9090/tcp": ("127.0.0.1", None)}, volumes=no_shell
    )
    eventually(lambda: container.reload() or container.health == "healthy")
    url = address(container, 9090)
    answer = requests.post(f"{url}/predict", files={"file": photo}, timeout=30).json()
    assert answer["predictions"][0]["class"] == "red"
    assert "Chrysalis" in requests.get(url, timeout=30).text
    container.stop(timeout=10)  # SIGTERM, and SIGKILL after that
    assert container.wait()["StatusCode"] == 0
    assert '{"event": "stopped"' in container.logs().decode()


def test_app_engine_asks_its_checks_on_8080(run, eventually, tiny_bundle):
    settings = yaml.safe_load((ROOT / "deploy/appengine/app.yaml").read_text())
    ours = {"CHRYSALIS_MODEL": "/bundle", "CHRYSALIS_REQUIRE_BLESSED": "0"}
    environment = {**settings["env_variables"], **ours}
    container = run(build(None), environment=environment, ports={"8080/tcp": ("127.0.0.1", None)})

    def ok(check: str) -> bool:
        path = settings[check]["path"]
        return requests.get(address(container, 8080) + path, timeout=settings[check]["timeout_sec"]).ok

    eventually(lambda: ok("readiness_check"))
    assert ok("liveness_check")


def test_a_lambda_function_with_its_bundle_inside(run, engine, tiny_bundle, loopback, photo):
    build("lambda")
    tag = f"chrysalis/test-{uuid.uuid4().hex[:8]}"
    dockerfile = str(ROOT / "deploy/lambda/Dockerfile")
    command = ["docker", "build", "--quiet", "--tag", tag, "--file", dockerfile, str(tiny_bundle)]
    subprocess.run(command, capture_output=True, text=True, check=True)
    try:
        runtime = Runtime(loopback)
        container = run(
            tag,
            environment={"AWS_LAMBDA_RUNTIME_API": runtime.address, "CHRYSALIS_MODEL": "/model"},
            network_mode="host",
        )
        outcome = runtime.invoke({"instances": [{"b64": base64.b64encode(photo).decode()}]})
        assert outcome.document["predictions"][0]["class"] == "red", container.logs()
        outcome = runtime.invoke(http("GET", "/model"))
        assert json.loads(outcome.document["body"])["name"] == "tiny-run"
        runtime.close()
    finally:
        engine.images.remove(tag, force=True)


def test_a_function_classifies_what_lies_in_a_bucket(run, eventually, bucket, emulator_url, photo):
    storage.write_bytes(f"{bucket}/red.png", photo)
    name, port = bucket.removeprefix("gs://"), free_port()
    run(
        build("function"),
        environment={
            "PORT": str(port),
            "CHRYSALIS_ALLOW_BUCKETS": name,
            "STORAGE_EMULATOR_HOST": emulator_url,
        },
        network_mode="host",
        tmpfs={"/tmp": ""},  # gunicorn's, as on every platform
    )
    url, body = f"http://127.0.0.1:{port}", {"bucket": name, "filename": "red.png"}
    answer = eventually(lambda: requests.post(url, json=body, timeout=30))
    assert answer.json()["predictions"][0]["class"] == "red"
    assert requests.post(url, json={**body, "filename": "none"}, timeout=30).status_code == 404


@pytest.mark.parametrize("target", ["lambda", "function"])
def test_other_targets_are_small_too(engine, target):
    image = engine.images.get(build(target))
    assert image.attrs["Size"] <= MEGABYTES * 1_000_000
    assert image.attrs["Config"]["User"] == "65532:65532"


def test_the_cpus_is_what_is_built_by_default(engine):
    image = engine.images.get(build(None))
    assert image.labels["org.opencontainers.image.title"] == "chrysalis/serving"
    assert image.attrs["Config"]["Entrypoint"] == ["python", "-m", "serving"]
