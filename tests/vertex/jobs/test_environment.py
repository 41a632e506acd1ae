import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import InputError
from vertex.jobs.environment import environment, refuse_secrets, secret_version
from vertex.jobs.job_options import JobOptions


def test_a_secret_is_named_and_its_value_stays_where_it_is():
    options = JobOptions(
        env=["A=b=c"], secret=["OTHER_KEY=projects/p/secrets/s/versions/2"], wandb_secret="w:7"
    )
    assert environment(options, "mine", training=True) == {
        "A": "b=c",
        "OTHER_KEY_SECRET": "projects/p/secrets/s/versions/2",
        "WANDB_API_KEY_SECRET": "projects/mine/secrets/w/versions/7",
    }
    assert "WANDB_API_KEY_SECRET" not in environment(options, "mine", training=False)
    given = JobOptions(secret=["WANDB_API_KEY=nearer"], wandb_secret="w")
    assert environment(given, "mine", training=True) == {
        "WANDB_API_KEY_SECRET": "projects/mine/secrets/nearer/versions/latest"
    }


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (JobOptions(env=["WANDB_API_KEY=0123456789"]), "give --secret WANDB_API_KEY=SECRET[:VERSION]"),
        (JobOptions(env=["HUB_TOKEN=0123456789"]), "everyone who may list jobs"),
        (JobOptions(env=["AIP_MODEL_DIR=gs://b"]), "the service sets it itself"),
        (JobOptions(env=["TF_CONFIG={}"]), "the service sets it itself"),
        (JobOptions(env=["0123456789"]), "expected --env NAME=value"),
        (JobOptions(env=["A=1", "A=2"]), "--env A is given twice"),
        (JobOptions(secret=["WANDB_API_KEY=a key!"]), "and not its value"),
        (JobOptions(wandb_secret="0123456789" * 4), "and not its value"),
        (JobOptions(env=["wandb_api_key=0123456789"]), "give --secret wandb_api_key=SECRET"),
    ],
)
def test_what_would_be_read_by_everyone_is_refused_and_not_repeated(options, says):
    with pytest.raises(InputError) as refusal:
        environment(options, "mine", training=True)
    assert says in str(refusal.value)
    assert "0123456789" not in str(refusal.value)


@given(st.text())
def test_any_text_is_a_secrets_name_or_refused(text):
    try:
        name = secret_version(text, "mine")
    except InputError as error:
        assert "Secret Manager" in str(error)
    else:
        assert name.startswith("projects/") and name.count("/") == 5


def test_this_machines_secrets_are_found_wherever_they_stand_in_a_request():
    machine = {"HUB_TOKEN": "a-long-value", "SHORT_TOKEN": "main", "CHRYSALIS_WANDB_SECRET": "wandb-api-key"}
    refuse_secrets(json.dumps({"env": ["projects/p/secrets/wandb-api-key/versions/1", "main"]}), machine)
    with pytest.raises(InputError, match="value of HUB_TOKEN stands") as refusal:
        refuse_secrets(json.dumps({"labels": {"deep": ["x-a-long-value-x"]}}), machine)
    assert "a-long-value" not in str(refusal.value)
    with pytest.raises(InputError, match="a key stands in the request"):
        refuse_secrets("-----BEGIN RSA PRIVATE KEY-----", {})
    for escaped in ('a "quoted" value', "back\\slash-value"):
        with pytest.raises(InputError, match="value of HUB_TOKEN stands"):
            refuse_secrets(json.dumps({"env": [escaped]}), {"HUB_TOKEN": escaped})


@pytest.mark.parametrize(
    "source", ["https://user:word@host/photos.zip", "https://host/photos.zip?X-Goog-Signature=0f"]
)
def test_an_address_that_opens_doors_is_refused(source):
    with pytest.raises(InputError, match="a key stands in the request"):
        refuse_secrets(json.dumps(["--source", source]), {})
