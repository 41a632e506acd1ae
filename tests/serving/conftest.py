"""Servers of the tiny bundle, in this process or in one of their own, and images that it can tell apart."""

import io
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import requests
import uvicorn
from PIL import Image

from serving.app import create_app
from serving.protocol import make_config
from serving.settings import Settings

SRC = Path(__file__).parents[2] / "src"
CLASSES = ("blue", "green", "red")


class Answer(NamedTuple):
    """What an HTTP request got."""

    status: int
    content: Any
    headers: Any


class Server(NamedTuple):
    """A running server."""

    url: str
    process: subprocess.Popen[str] | None = None

    def get(self, path: str) -> Answer:
        return _answer(requests.get(self.url + path, timeout=30))

    def post(self, path: str = "/predict", **body: Any) -> Answer:
        return _answer(requests.post(self.url + path, timeout=30, **body))

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process and self.process.poll() is not None:
                raise AssertionError(f"the server ended: {self.process.communicate()}")
            try:
                if self.get("/readyz").status == 200:
                    return
            except requests.ConnectionError:
                pass
            time.sleep(0.05)
        raise TimeoutError("the server isn't ready after a minute")


def _answer(response: requests.Response) -> Answer:
    is_json = response.headers.get("content-type") == "application/json"
    return Answer(response.status_code, response.json() if is_json else response.text, response.headers)


@pytest.fixture(scope="session")
def picture() -> Callable[..., bytes]:
    """Make an image file of noise with a tint: what the tiny network was trained on."""

    def make(colour: str, size: tuple[int, int] = (70, 50), kind: str = "PNG", **options: Any) -> bytes:
        pixels = np.random.default_rng(1).integers(0, 150, (size[1], size[0], 3), np.uint8)
        pixels[..., 2 - CLASSES.index(colour)] += 100
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, kind, **options)
        return buffer.getvalue()

    return make


@pytest.fixture
def own_bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A copy of the tiny bundle that a test may spoil."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))


@contextmanager
def _in_this_process(settings: Settings) -> Iterator[Server]:
    server = uvicorn.Server(make_config(create_app(settings), settings))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=[[listener]])
        thread.start()
        try:
            running = Server(f"http://127.0.0.1:{listener.getsockname()[1]}")
            running.wait_until_ready()
            yield running
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="session")
def serve() -> Callable[[Settings], AbstractContextManager[Server]]:
    """`with serve(settings) as server:` runs one in this process, ready."""
    return _in_this_process


@pytest.fixture(scope="session")
def server(tiny_bundle: Path) -> Iterator[Server]:
    """A ready server with the usual limits."""
    with _in_this_process(Settings(model=str(tiny_bundle))) as running:
        yield running


@pytest.fixture(scope="session")
def narrow_server(tiny_bundle: Path) -> Iterator[Server]:
    """A ready server with limits that are easily passed."""
    limits = {"max_body_bytes": 100_000, "max_images": 4, "max_waiting": 3}
    with _in_this_process(Settings(model=str(tiny_bundle), **limits)) as running:
        yield running


@pytest.fixture
def run_module() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `python -m module argument… ` with further environment variables, as a process of its own."""
    started: list[subprocess.Popen[str]] = []

    def start(module: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env={**os.environ, "PYTHONPATH": str(SRC), "COLUMNS": "100", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pipesize=1 << 20,  # nobody reads the log meanwhile, and a full pipe would halt the server
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def run_server(run_module: Callable[..., subprocess.Popen[str]]) -> Callable[..., Server]:
    """Start `python -m serving` on a free port, which AIP_HTTP_PORT names."""

    def start(*arguments: str, **environment: str) -> Server:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = run_module("serving", *arguments, AIP_HTTP_PORT=str(port), **environment)
        return Server(f"http://127.0.0.1:{port}", process)

    return start
