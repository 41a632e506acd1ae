"""What Prometheus is told."""

import socket

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from serving.settings import Settings


@pytest.fixture(scope="module")
def measured(tiny_bundle, serve):
    """A server of its own, so that nobody else is counted."""
    with serve(Settings(model=str(tiny_bundle), max_images=4)) as running:
        yield running


def samples(server):
    text = requests.get(f"{server.url}/metrics", timeout=30).text
    families = text_string_to_metric_families(text)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_what_was_asked_is_counted(measured, picture):
    form = [("files", picture("red"))] * 2
    assert measured.post(files=form).status == 200
    assert measured.post(files={"file": b"?"}).status == 422
    assert measured.post(files=form * 3).status == 413
    assert measured.get("/").status == measured.get("/model.js").status == 200
    for index in range(20):
        measured.get(f"/nothing/{index}")
        measured.get(f"/v1/models/{index}")
    found = samples(measured)
    requests_, refused = "chrysalis_requests_total", "chrysalis_refused_total"
    assert found[requests_, "/predict", "200"] == found[requests_, "/predict", "422"] == 1
    assert found[requests_, "other", "404"] == 20
    assert found[requests_, "page", "200"] == 2
    assert found[refused, "not found"] == 20
    assert not any(name.endswith("_created") for name, *_ in found)
    assert found["chrysalis_images_total",] == 2
    assert found[refused, "bad image"] == found[refused, "too many images"] == 1
    assert found["chrysalis_request_seconds_count", "/predict"] == 3
    assert found["chrysalis_stage_seconds_count", "decode"] == 3
    assert found["chrysalis_stage_seconds_count", "inference"] == 2
    assert found["chrysalis_queue_images",] == found["chrysalis_buffered_bytes",] == 0
    assert found["chrysalis_ready",] == found["chrysalis_queue_capacity",] / 64 == 1
    assert found["chrysalis_loads_total", "changed"] == 1
    (info,) = [labels for labels in found if labels[0] == "chrysalis_model_info"]
    assert {"tiny-run", "litert"} < set(info)
    doors = {labels[1] for labels in found if labels[0] == requests_}
    assert not any(door[-1].isdigit() for door in doors)


def test_a_refused_connection_is_counted(measured):
    host, port = measured.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as client:
        client.sendall(b"?\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 400 ")
    assert samples(measured)["chrysalis_refused_total", "malformed"] == 1


def test_two_servers_count_apart(tiny_bundle, serve):
    with serve(Settings(model=str(tiny_bundle))) as other:
        assert ("chrysalis_requests_total", "/predict", "422") not in samples(other)


def test_open_metrics_are_told_where_they_are_asked_for(measured):
    accept = {"accept": "application/openmetrics-text; version=1.0.0"}
    answer = requests.get(f"{measured.url}/metrics", headers=accept, timeout=30)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")
