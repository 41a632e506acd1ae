"""The function as Cloud Functions runs it: functions-framework's own process, over HTTP."""

import socket
from pathlib import Path

import pytest
import requests

from contracts import storage

SOURCE = Path(__file__).parents[3] / "src/serving/adapters/cloud_function.py"


@pytest.fixture
def start(run_module):
    def start_function(**environment):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        arguments = ["--target", "get_prediction", "--source", str(SOURCE), "--host", "127.0.0.1"]
        process = run_module("functions_framework", *arguments, "--port", str(port), **environment)
        session = requests.Session()
        retry = requests.adapters.Retry(connect=60, backoff_factor=0.2, backoff_max=0.5)
        session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retry))

        def ask(path="/", method="POST", **body):
            assert process.poll() is None, process.communicate()
            return session.request(method, f"http://127.0.0.1:{port}{path}", timeout=60, **body)

        return ask

    return start_function


def test_the_function_classifies_what_lies_in_a_bucket(start, tiny_bundle, bucket, picture):
    for colour in ("red", "blue"):
        storage.write_bytes(f"{bucket}/{colour}.jpg", picture(colour, kind="JPEG"))
    name = bucket.removeprefix("gs://")
    ask = start(CHRYSALIS_MODEL=str(tiny_bundle), CHRYSALIS_ALLOW_BUCKETS=name)
    for colour in ("red", "blue"):
        answer = ask(json={"bucket": name, "filename": f"{colour}.jpg"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["predictions"][0]["class"] == colour
    assert set(answer.json()["model"]) == {"name", "version"}
    assert answer.headers["x-content-type-options"] == "nosniff"
    for body, status, said in (
        ({"json": {"bucket": name, "filename": "none.jpg"}}, 404, "there is no"),
        ({"json": {"bucket": "another", "filename": "a.jpg"}}, 403, "isn't allowed"),
        ({"data": b"{"}, 400, "no JSON"),
        ({"method": "GET"}, 405, "GET"),
    ):
        answer = ask("/any/path", **body)
        assert answer.status_code == status
        assert said in answer.json()["error"]


def test_a_model_that_cant_be_loaded_is_no_traceback(start, tmp_path):
    answer = start(CHRYSALIS_MODEL=str(tmp_path))(json={"bucket": "a-bucket", "filename": "a.jpg"})
    assert answer.status_code == 500
    assert "can't be served" in answer.json()["error"]
