"""An image asked of an endpoint whose model is served by `python -m serving`, as Vertex AI would run it."""

import io
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image

from contracts import storage

SRC = Path(__file__).parents[3] / "src"


def picture(colour, size):
    """Noise with a tint, 0 being blue, as the tiny network was trained on."""
    pixels = np.random.default_rng(1).integers(0, 150, (size, size, 3), np.uint8)
    pixels[..., 2 - colour] += 100
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def containers():
    """Run the server as a deployment says, and ask for its health until it answers."""
    started = []

    def serve(deployment):
        spec = deployment.model.container_spec
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        environment = {
            "AIP_HTTP_PORT": str(port),
            "AIP_HEALTH_ROUTE": spec.health_route,
            "AIP_PREDICT_ROUTE": spec.predict_route,
            "AIP_STORAGE_URI": deployment.model.artifact_uri,
            **{variable.name: variable.value for variable in spec.env},
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "serving"], env={**os.environ, "PYTHONPATH": str(SRC), **environment}
        )
        started.append(process)
        deployment.stop = process.terminate
        url = f"http://127.0.0.1:{port}"
        for _ in range(600):
            assert process.poll() is None
            try:
                if requests.get(url + spec.startup_probe.http_get.path, timeout=5).ok:
                    return url
            except requests.ConnectionError:
                pass
            time.sleep(0.1)
        raise TimeoutError("the server isn't ready after a minute")

    yield serve
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def deployed(vertex, vertex_ai, containers, tiny_bundle, models, judged):
    """The tiny bundle on the endpoint chrysalis-tiny."""
    uri = f"{models}/tiny"
    names = [file.name for file in storage.list_files(str(tiny_bundle))]
    storage.upload_many(tiny_bundle, names, uri)
    judged(uri)
    vertex_ai.serve = containers
    assert vertex("deploy", "--model", uri).code == 0


def test_what_is_deployed_answers(vertex, vertex_ai, deployed, tmp_path):
    paths = []
    for number, colour in enumerate(("blue", "green", "red")):
        paths.append(tmp_path / f"{colour}.png")
        paths[-1].write_bytes(picture(number, 1200))  # 3 MB, which Vertex AI wouldn't take
    done = vertex("predict", "--dataset", "tiny", "--json", "--top-k", "2", *map(str, paths))
    assert done.code == 0, done.err
    answers = [json.loads(line) for line in done.out.splitlines()]
    assert [answer["class"] for answer in answers] == ["blue", "green", "red"]
    assert all(len(answer["top"]) == 2 for answer in answers)

    (tmp_path / "words.png").write_text("words")
    mixed = vertex("predict", "--endpoint", "chrysalis-tiny", str(tmp_path / "words.png"), str(paths[2]))
    assert mixed.code == 2
    assert mixed.err.endswith("words.png: not an image\n")
    assert mixed.out.splitlines()[1].split()[0] == "red"

    assert vertex("predict", "--dataset", "tiny", "missing.png").code == 2


def test_an_endpoint_without_a_model_says_so(vertex, vertex_ai, blessed):
    vertex("deploy", "--model", blessed("a"))
    (endpoint,) = vertex_ai._endpoints.endpoints.items.values()
    endpoint.deployed_models = []
    done = vertex("predict", "photo.png")
    assert done.code == 2
    assert "nothing is deployed to the endpoint chrysalis-digits: make deploy RUN=vertex" in done.err
