"""What deploy/ tells the platforms: paths that there are, and settings that there are."""

from pathlib import Path

import pytest
import yaml

from serving.settings import Settings, variable

DEPLOY = Path(__file__).parents[3] / "deploy"


def read(name):
    return yaml.safe_load((DEPLOY / name).read_text())


def container(name):
    (only,) = read(name)["spec"]["template"]["spec"]["containers"]
    return only


def variables():
    yield from (entry["name"] for entry in container("cloudrun/service.yaml")["env"])
    yield from (entry["name"] for entry in container("function/service.yaml")["env"])
    yield from read("appengine/app.yaml")["env_variables"]
    function = read("lambda/template.yaml")["Resources"]["Classify"]["Properties"]
    yield from function["Environment"]["Variables"]


def test_every_variable_is_a_setting():
    assert set(variables()) <= {variable(field) for field in Settings.model_fields}


def probes():
    app = read("appengine/app.yaml")
    run = container("cloudrun/service.yaml")
    yield from (app[check]["path"] for check in ("readiness_check", "liveness_check"))
    yield from (run[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe"))


@pytest.mark.parametrize("path", sorted(set(probes())))
def test_every_probe_is_answered_without_a_key(tiny_bundle, serve, path):
    with serve(Settings(model=str(tiny_bundle), api_key="a-key")) as server:
        assert server.get(path).status == 200


def test_an_instance_gets_no_more_requests_than_may_wait():
    waiting = Settings.model_fields["max_waiting"].default
    spec = read("cloudrun/service.yaml")["spec"]["template"]["spec"]
    assert spec["containerConcurrency"] <= waiting / 2
    assert spec["timeoutSeconds"] > Settings.model_fields["request_timeout_s"].default
