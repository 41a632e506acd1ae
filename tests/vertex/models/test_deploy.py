"""A model takes over an endpoint: at once or as a canary; killed anywhere and run again, it ends the same."""

from contextlib import suppress

import pytest

from rehearsal.vertex_ai import JobFailedError
from rehearsal.vertex_ai.errors import RefusedError
from vertex.models import changes, operations


@pytest.fixture
def changing(vertex_ai):
    """The requests since the last look that change something."""
    seen = 0

    def look():
        nonlocal seen
        new = [request for request in vertex_ai.requests[seen:] if request.method != "GET"]
        seen = len(vertex_ai.requests)
        return new

    return look


@pytest.fixture
def served(vertex_ai, vertex):
    """By display name, who gets how many percent of an endpoint's requests; those without any, too."""

    def look():
        (endpoint,) = vertex_ai._endpoints.endpoints.items.values()
        return {
            model.display_name: endpoint.traffic_split.get(model.id, 0) for model in endpoint.deployed_models
        }

    return look


def test_a_first_deployment(vertex, vertex_ai, blessed, changing, served, readable, snapshot):
    arguments = ("deploy", "--model", blessed("a"), "--max-replicas", "3", "--alias", "champion")
    shown = vertex(*arguments, "--dry-run")
    assert changing() == []
    assert vertex(*arguments).code == 0
    sent = changing()
    assert [request.body for request in sent] == shown.bodies
    assert [readable(request) for request in sent] == snapshot
    assert served() == {"chrysalis-digits-1": 100}


def test_again_nothing_changes(vertex, vertex_ai, blessed, changing):
    vertex("deploy", "--model", blessed("a"))
    changing()
    again = vertex("deploy", "--model", blessed("a"))
    assert again.code == 0
    assert [event["event"] for event in again.events] == [
        "registered already",
        "deployed already",
        "in service",
    ]
    assert changing() == []


def test_another_bundle_replaces_the_first_once_it_is_up(
    vertex, vertex_ai, blessed, changing, served, readable, snapshot
):
    vertex("deploy", "--model", blessed("a"))
    changing()
    shown = vertex("deploy", "--model", blessed("b"), "--dry-run")
    assert vertex("deploy", "--model", blessed("b")).code == 0
    sent = changing()
    assert [request.body for request in sent] == shown.bodies
    assert [readable(request) for request in sent[1:]] == snapshot
    assert served() == {"chrysalis-digits-2": 100}


def test_a_canary_is_promoted(vertex, vertex_ai, blessed, changing, served, readable, snapshot):
    vertex("deploy", "--model", blessed("a"))
    assert vertex("deploy", "--model", blessed("b"), "--canary", "10").code == 0
    assert served() == {"chrysalis-digits-1": 90, "chrysalis-digits-2": 10}
    assert vertex("deploy", "--model", blessed("b"), "--canary", "25").code == 0
    assert served() == {"chrysalis-digits-1": 75, "chrysalis-digits-2": 25}
    changing()
    other = vertex("deploy", "--model", blessed("c"), "--canary", "10")
    assert other.code == 2
    assert "chrysalis-digits has a canary, chrysalis-digits-2" in other.err
    assert changing() == []
    shown = vertex("promote", "--dry-run")
    assert vertex("promote").code == 0
    sent = changing()
    assert [request.body for request in sent] == shown.bodies
    assert [readable(request) for request in sent] == snapshot
    assert served() == {"chrysalis-digits-2": 100}
    assert vertex("promote").code == 0
    assert changing() == []


def test_a_canary_is_rolled_back(vertex, vertex_ai, blessed, changing, served, readable, snapshot):
    vertex("deploy", "--model", blessed("a"))
    vertex("deploy", "--model", blessed("b"), "--canary", "10")
    changing()
    assert vertex("rollback").code == 0
    assert [readable(request) for request in changing()] == snapshot
    assert served() == {"chrysalis-digits-1": 100}
    again = vertex("rollback")
    assert again.code == 2
    assert "only chrysalis-digits-1 is deployed" in again.err
    assert '"--model chrysalis-digits@VERSION --endpoint chrysalis-digits"' in again.err


def test_only_another_model_is_a_canary(vertex, vertex_ai, blessed, changing, served):
    vertex("deploy", "--model", blessed("a"))
    changing()
    alone = vertex("deploy", "--model", blessed("a"), "--canary", "10")
    assert (alone.code, "answers all requests to chrysalis-digits" in alone.err) == (2, True)
    canary = vertex("deploy", "--model", blessed("b"), "--canary", "10")
    assert 'make promote VERTEX_ARGS=\\"--endpoint chrysalis-digits\\"' in canary.err
    changing()
    old = vertex("deploy", "--model", blessed("a"), "--canary", "20")
    assert (old.code, "is what chrysalis-digits-2 stands beside" in old.err) == (2, True)
    assert changing() == []
    assert served() == {"chrysalis-digits-1": 90, "chrysalis-digits-2": 10}


def test_an_endpoint_of_any_name_and_machines_of_tomorrow(vertex, vertex_ai, blessed):
    vertex("deploy", "--model", blessed("a"))
    (endpoint,) = vertex_ai._endpoints.endpoints.items.values()
    endpoint.display_name = "Our digits"
    (deployed,) = endpoint.deployed_models
    type(deployed).pb(deployed).dedicated_resources.machine_spec.accelerator_type = 999
    canary = vertex("deploy", "--model", blessed("a"), "--endpoint", "Our digits", "--canary", "10")
    assert canary.code == 0
    assert 'make promote VERTEX_ARGS=\\"--endpoint chrysalis-digits\\"' in canary.err


@pytest.mark.parametrize("how", [[], ["--canary", "10"]])
def test_an_endpoint_is_taken_down(vertex, vertex_ai, blessed, changing, served, how):
    vertex("deploy", "--model", blessed("a"))
    vertex("deploy", "--model", blessed("b"), *how)
    changing()
    shown = vertex("undeploy", "--dry-run")
    assert vertex("undeploy").code == 0
    assert [request.body for request in changing()] == shown.bodies
    assert served() == {}
    assert vertex("undeploy", "--delete").code == 0
    (deleted,) = changing()
    assert (deleted.method, deleted.path.rpartition("/")[2]) == ("DELETE", "chrysalis-digits")
    assert vertex("undeploy").code == 0
    assert changing() == []


def test_another_endpoint_that_costs_is_told(vertex, vertex_ai, blessed, changing):
    vertex("deploy", "--model", blessed("a"))
    changing()
    done = vertex("undeploy", "--dataset", "digit", "--delete")
    assert (done.code, changing()) == (2, [])
    assert 'make undeploy VERTEX_ARGS="--endpoint chrysalis-digits --delete"\n' in done.err
    assert vertex("undeploy").code == 0
    assert vertex("undeploy", "--dataset", "digit").code == 0


def test_an_earlier_version_comes_back(vertex, vertex_ai, blessed, served):
    for name in "ab":
        vertex("deploy", "--model", blessed(name))
    # As make deploy does, with VERTEX_ARGS behind its own bundle: the later one counts.
    assert vertex("deploy", "--model", blessed("c"), "--model", "chrysalis-digits@1").code == 0
    assert served() == {"chrysalis-digits-1": 100}


def test_other_machines_are_another_deployment(vertex, vertex_ai, blessed, served):
    vertex("deploy", "--model", blessed("a"))
    assert vertex("deploy", "--model", blessed("a"), "--machine-type", "n1-standard-4").code == 0
    assert served() == {"chrysalis-digits-1": 100}


def test_gpus_get_their_image(vertex, vertex_ai, blessed, changing):
    vertex("deploy", "--model", blessed("a"), "--gpu", "1", "--accelerator", "NVIDIA_L4")
    upload, _, deploy = changing()
    assert upload.message.model.container_spec.image_uri.endswith("/serving-cuda:latest")
    assert deploy.message.deployed_model.dedicated_resources.machine_spec.machine_type == "g2-standard-12"
    done = vertex("deploy", "--model", "chrysalis-digits@1")
    assert done.code == 2
    assert "expected --gpu 1 or more, got --gpu 0" in done.err


def test_an_image_pushed_anew_is_deployed(vertex, vertex_ai, blessed, registry, changing, served):
    for content in "12":
        digest = registry.push("serving:latest", content)
        assert vertex("deploy", "--model", blessed("a")).code == 0
        image = changing()[0].message.model.container_spec.image_uri
        assert image == f"{registry.images}/serving@{digest}"
        assert vertex("deploy", "--model", blessed("a")).code == 0
        assert changing() == []
    assert served() == {"chrysalis-digits-2": 100}
    done = vertex("deploy", "--model", "chrysalis-digits@1", "--gpu", "1")
    assert (done.code, "expected --gpu 0, got --gpu 1" in done.err) == (2, True)


def test_an_image_that_wasnt_pushed_is_told(vertex, vertex_ai, blessed, registry, changing):
    registry.push("serving:latest", "1")
    done = vertex("deploy", "--model", blessed("a"), "--gpu", "1")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "serving-cuda:latest: make push ARGS=serving-cuda, or set CHRYSALIS_TAG" in done.err
    assert changing() == []


@pytest.mark.parametrize(("first", "then"), [([], ["--shared"]), (["--shared"], [])])
def test_an_endpoint_stays_of_its_kind(vertex, vertex_ai, blessed, first, then):
    vertex("deploy", "--model", blessed("a"), *first)
    (endpoint,) = vertex_ai._endpoints.endpoints.items.values()
    assert endpoint.dedicated_endpoint_enabled == (first == [])
    done = vertex("deploy", "--model", blessed("a"), *then)
    assert done.code == 0
    assert f"stays {'shared' if first else 'dedicated'}" in done.err


class KilledError(BaseException):
    """As SIGKILL: nothing is tidied up, and what was begun goes on at the service."""


@pytest.mark.parametrize("sent", [1, 2, 3])
@pytest.mark.parametrize(
    ("before", "how", "shares"),
    [
        ([], [], {"chrysalis-digits-1": 100}),
        (["a"], [], {"chrysalis-digits-2": 100}),
        (["a"], ["--canary", "10"], {"chrysalis-digits-1": 90, "chrysalis-digits-2": 10}),
    ],
    ids=["first", "replace", "canary"],
)
def test_killed_after_any_request_and_run_again_it_converges(
    vertex, vertex_ai, blessed, served, monkeypatch, before, how, shares, sent
):
    for name in before:
        vertex("deploy", "--model", blessed(name))
    left = sent

    def wait(*arguments):
        nonlocal left
        left -= 1
        if not left:
            raise KilledError
        return operations.wait(*arguments)

    command = ("deploy", "--model", blessed("b"), *how)
    with monkeypatch.context() as killing, suppress(KilledError):
        killing.setattr(changes, "wait", wait)
        vertex(*command)
    assert vertex(*command).code == 0
    assert served() == shares


def test_a_container_that_doesnt_get_healthy_is_told_with_its_logs(vertex, vertex_ai, blessed, served):
    vertex("deploy", "--model", blessed("a"))

    def serve(deployment):
        raise JobFailedError("Model server exited unexpectedly.")

    vertex_ai.serve = serve
    done = vertex("deploy", "--model", blessed("b"))
    assert done.code == 1
    last = done.err.splitlines()[-1]
    assert (
        "deploying chrysalis-digits-2 to chrysalis-digits: Model server exited unexpectedly. (logs: https"
        in last
    )
    assert served() == {"chrysalis-digits-1": 100}


def test_an_operation_that_is_gone_is_told(vertex, vertex_ai, blessed, served):
    vertex_ai.serve = lambda deployment: vertex_ai._operations._operations.clear() or "echo:"
    done = vertex("deploy", "--model", blessed("a"))
    assert done.code == 1
    assert "is gone, and how it ended isn't known; try again" in done.err.splitlines()[-1]
    assert vertex("deploy", "--model", blessed("a")).code == 0
    assert served() == {"chrysalis-digits-1": 100}


@pytest.mark.parametrize(
    ("code", "exit_code", "said"),
    [
        (429, 1, "(a quota: take another machine or region, or ask for more at https://console.cloud.google"),
        (403, 2, "(give the account that is named the role that it lacks)"),
        (404, 2, "(logs: https://console.cloud.google.com/logs/query;query=resource.type%3D"),
    ],
)
def test_a_deployment_that_fails_says_what_to_do(vertex, vertex_ai, blessed, code, exit_code, said):
    def serve(deployment):
        raise RefusedError(code, "What the service says.")

    vertex_ai.serve = serve
    done = vertex("deploy", "--model", blessed("a"))
    assert done.code == exit_code
    assert f"chrysalis-digits: What the service says. {said}" in done.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("code", "exit_code", "said"),
    [
        (429, 1, "(a quota:"),
        (403, 2, "(give the account"),
        (400, 2, "Vertex AI refused: 400"),
        (503, 1, "try again"),
    ],
)
def test_what_the_service_refuses_is_one_line(vertex, vertex_ai, blessed, code, exit_code, said):
    vertex("deploy", "--model", blessed("a"))
    vertex_ai.refuse(code, "What the service says.")
    done = vertex("deploy", "--model", "chrysalis-digits@1", "--machine-type", "n1-standard-64")
    assert done.code == exit_code
    last = done.err.splitlines()[-1]
    assert "What the service says." in last
    assert said in last


BUNDLE = "gs://my-bucket/models/digits/a"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("deploy --model nothing@7", "no model nothing@7 in projects/my-project/locations/europe-west4"),
        ("deploy --model a/b", "expected --model gs://bucket/…"),
        ("deploy --model gs://my-bucket/models/digits/refused", "the gate refused the bundle"),
        (f"deploy --model {BUNDLE} --canary 5", "leave --canary out"),
        (f"deploy --model {BUNDLE} --endpoint No.", "expected --endpoint of"),
        (f"deploy --model {BUNDLE} --min-replicas 3 --max-replicas 2", "at least --min-replicas 3, got 2"),
        ("promote --endpoint nothing", "no endpoint nothing in projects/my-project"),
        ("promote --endpoint a/b", "expected an endpoint's display name, its id or projects/"),
        ("rollback", "no endpoint chrysalis-digits in"),
        ("predict a.png", "no endpoint chrysalis-digits in"),
    ],
)
def test_what_isnt_there_is_told(vertex, vertex_ai, blessed, unblessed, changing, command, said):
    blessed("a")
    done = vertex(*command.split())
    assert done.code == 2
    assert said in done.err.splitlines()[-1]
    assert "Traceback" not in done.err
    assert changing() == []


def test_the_account_stands_with_what_every_target_takes(vertex):
    first, _, other = vertex("deploy", "--help").out.partition("Endpoint of Vertex AI:")
    assert "--service-account" in first
    assert "--service-account" not in other
