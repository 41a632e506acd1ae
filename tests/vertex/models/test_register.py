"""A bundle becomes a version of a registered model: once, and only if it was blessed."""

import pytest

from contracts.bundle import ModelBundle
from contracts.champion import Champion
from vertex.models import register


def changing(vertex_ai):
    """The requests that change something."""
    return [request for request in vertex_ai.requests if request.method != "GET"]


def test_versions_of_a_model(vertex, vertex_ai, blessed, readable, snapshot):
    for name in ("a", "b", "a"):
        assert vertex("register", "--model", blessed(name), "--alias", f"run-{name}").code == 0
    assert [readable(request) for request in changing(vertex_ai)] == snapshot


def test_registered_again_it_gets_what_aliases_it_lacks(vertex, vertex_ai, blessed, readable, snapshot):
    vertex("register", "--model", blessed("a"), "--alias", "first")
    again = vertex("register", "--model", blessed("a"), "--alias", "first", "--alias", "champion")
    assert again.events[0]["event"] == "registered already"
    assert [readable(request) for request in changing(vertex_ai)] == snapshot


@pytest.mark.parametrize("before", [[], ["b"]], ids=["first", "further"])
def test_registered_by_two_at_once_both_have_the_same_version(
    vertex, vertex_ai, blessed, monkeypatch, before
):
    for name in before:
        vertex("register", "--model", blessed(name))
    arguments = ("register", "--model", blessed("a"), "--alias", "champion")
    upload, others = register._upload, []

    def late(*given):
        with monkeypatch.context() as once:
            once.setattr(register, "_upload", upload)
            others.append(vertex(*arguments))
        return upload(*given)

    monkeypatch.setattr(register, "_upload", late)
    mine = vertex(*arguments)
    assert [others[0].code, mine.code] == [0, 0]
    assert "registered already" in [event["event"] for event in mine.events]
    (versions,) = vertex_ai._models.models.items.values()
    champion = next(version for version in versions if "champion" in version.version_aliases)
    assert champion.version_id == str(len(before) + 1)


def test_another_image_makes_another_version(vertex, vertex_ai, blessed):
    vertex("register", "--model", blessed("a"))
    vertex("register", "--model", blessed("a"), "--gpu")
    images = [request.message.model.container_spec.image_uri for request in changing(vertex_ai)]
    assert [image.rpartition("/")[2] for image in images] == ["serving:latest", "serving-cuda:latest"]


def test_the_dry_run_prints_what_is_sent(vertex, vertex_ai, blessed):
    for name in ("a", "b"):
        arguments = ("register", "--model", blessed(name), "--name", "numbers")
        shown = vertex(*arguments, "--dry-run")
        assert not [
            request for request in changing(vertex_ai) if request.message.model.labels["run-id"] == name
        ]
        assert vertex(*arguments).code == 0
        assert shown.bodies == [changing(vertex_ai)[-1].body]


def test_a_champion_names_its_bundle(vertex, vertex_ai, blessed, models):
    uri = blessed("a")
    document = ModelBundle.read(uri)
    Champion(
        dataset="digits", bundle="a", digest=document.digest, metrics=document.metrics, verdict=document.gate
    ).write(models)
    assert vertex("register", "--model", f"{models}/champion.json").code == 0
    assert changing(vertex_ai)[0].message.model.artifact_uri == uri


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--model", "data/models/digits/vgg16"],
            "expected --model gs://bucket/…, got 'data/models/digits/vgg16'",
        ),
        (["--model", "gs://my-bucket/models/none"], "holds neither bundle.json nor champion.json"),
        (
            ["--model", "gs://my-bucket/models/digits/unjudged"],
            "wasn't judged: make gate RUN=vertex ROOT=gs://my-bucket DATASET=digits RUN_ID=unjudged does it",
        ),
        (["--model", "gs://my-bucket/models/digits/refused"], "the gate refused the bundle"),
        (["--model", "gs://my-bucket/models/digits/a", "--alias", "1"], "expected --alias as in champion"),
        (["--model", "gs://my-bucket/models/digits/a", "--name", "A b"], "expected --name of at most 63"),
    ],
)
def test_what_cant_be_registered_is_told(vertex, vertex_ai, blessed, unblessed, arguments, said):
    blessed("a")
    done = vertex("register", *arguments)
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert said in done.err
    assert not changing(vertex_ai)


def test_an_upload_that_no_operation_answers_is_one_line(vertex, loopback, monkeypatch, blessed):
    json = {"Content-Type": "application/json"}
    monkeypatch.setenv("CHRYSALIS_VERTEX_ENDPOINT", loopback(lambda request, body: (200, json, b"{}")))
    done = vertex("register", "--model", blessed("a"))
    assert (done.code, len(done.err.splitlines())) == (1, 1)
    assert done.err.endswith(
        "the service's answer can't be read (expected a resource's name in it, got '')\n"
    )


def test_a_refusal_is_one_line(vertex, vertex_ai, blessed):
    vertex_ai.refuse(403, "Permission 'aiplatform.models.upload' denied on resource")
    done = vertex("register", "--model", blessed("a"))
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "Permission 'aiplatform.models.upload' denied" in done.err
