"""The images, built from this tree, and docker-compose.yml under a project of its own, gone in the end."""

import os
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import docker
import pytest
from docker.models.images import Image

from datapipeline.download.dataloader import dataloader
from datapipeline.records.build_records import BuildConfig, build_records
from datapipeline.records.process import ProcessConfig, process

ROOT = Path(__file__).parents[2]
SERVICES = ["storage", "download", "process", "records", "serving"]
MODELS = ["cnn", "keras_applications", "vgg16", "xception"]
PATIENCE_S = 240

T = TypeVar("T")


class Compose:
    """`docker compose` with its own project, ports and key, whatever the shell's variables say."""

    key = "a-key-that-must-not-show"

    def __init__(self, keys: Path) -> None:
        (keys / "wandb").write_text(self.key)
        self.project = f"chrysalis-test-{uuid.uuid4().hex[:8]}"
        self._variables = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "DOCKER_HOST") if name in os.environ},
            "COMPOSE_PROJECT_NAME": self.project,
            "STORAGE_PORT": "0",
            "TENSORBOARD_PORT": "0",
            "PORT": "0",
            "WANDB_KEY_FILE": str(keys / "wandb"),
        }

    def __call__(self, *arguments: str, code: int = 0, **variables: str) -> str:
        """Run it, expecting an exit code; what it wrote to either stream."""
        done = subprocess.run(
            ["docker", "compose", "--ansi", "never", *arguments],
            cwd=ROOT,
            env={**self._variables, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    def stage(self, service: str, args: str = "") -> str:
        """Run a stage to its end; what it wrote."""
        return self("run", "--rm", "-T", service, ARGS=args)

    def address(self, service: str, port: int) -> str:
        """Where a service's port is on this machine."""
        return f"http://{self('port', service, str(port)).strip()}"


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env(timeout=600)
    yield client
    client.close()


@pytest.fixture(scope="session")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    compose = Compose(tmp_path_factory.mktemp("keys"))
    yield compose
    compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "5")


@pytest.fixture(scope="session")
def images(engine: docker.DockerClient, compose: Compose) -> dict[str, Image]:
    """Every image, by its name behind the slash; built with a key lying about that none may hold."""
    compose("--profile", "*", "build", *SERVICES, WANDB_API_KEY=compose.key)
    for model in MODELS:
        compose("--profile", "*", "build", "train", WANDB_API_KEY=compose.key, MODEL=model)
    names = ["emulator", "download", "process", "records", "serving", *MODELS]
    return {name: engine.images.get(f"chrysalis/{name}") for name in names}


@pytest.fixture(scope="session")
def local_shards(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the data stages make of the digits on this machine: every file of `processed/digits`."""
    root = tmp_path_factory.mktemp("local")
    raw, interim, processed = (str(root / name / "digits") for name in ("raw", "interim", "processed"))
    dataloader("digits", raw)
    process(raw, interim, ProcessConfig())
    build_records(interim, processed, BuildConfig())
    return {path.name: path.read_bytes() for path in Path(processed).iterdir()}


@pytest.fixture(scope="session")
def eventually() -> Callable[[Callable[[], T]], T]:
    """Ask again until the answer is true; an OSError is no answer."""

    def ask_until(ask: Callable[[], T]) -> T:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                if answer := ask():
                    return answer
            except OSError:
                pass
            assert time.monotonic() < deadline, f"not within {PATIENCE_S} s"
            time.sleep(0.5)

    return ask_until
