"""Every setting has a variable, and a wrong one is told by it."""

import pytest

from contracts.errors import InputError
from serving.options import OFTEN
from serving.runtimes import RuntimeName
from serving.settings import Settings, variable

GIVEN = {
    "model": "gs://bucket/model",
    "model_name": "flowers",
    "runtime": "tensorflow",
    "require_blessed": "yes",
    "workers": "3",
    "threads": "2",
    "max_batch": "8",
    "max_delay_ms": "0.5",
    "vertex_predict_route": "/p",
    "vertex_health_route": "/h",
    "allow_buckets": " photos, more,",
    "threshold": "0",
}


def test_each_is_read_from_its_variable():
    settings = Settings.from_environment({variable(field): text for field, text in GIVEN.items()})
    assert settings.model_dump(include=set(GIVEN)) == {
        **GIVEN,
        "runtime": RuntimeName.TENSORFLOW,
        "require_blessed": True,
        "workers": 3,
        "threads": 2,
        "max_batch": 8,
        "max_delay_ms": 0.5,
        "allow_buckets": ("photos", "more"),
        "threshold": 0,
    }


def test_an_option_counts_more_than_ours_than_vertex_ais_than_the_default():
    everything = {"AIP_STORAGE_URI": "vertex", "CHRYSALIS_MODEL": "ours", "AIP_HEALTH_ROUTE": ""}
    assert Settings.from_environment(everything, model="option", model_name=None).model == "option"
    assert Settings.from_environment(everything).model == "ours"
    assert Settings.from_environment({"AIP_STORAGE_URI": "vertex"}).model == "vertex"
    assert Settings.from_environment(everything).vertex_health_route == "/vertex/health"


def test_every_field_says_what_it_is_and_options_are_fields():
    assert all(field.description for field in Settings.model_fields.values())
    assert set(OFTEN) <= set(Settings.model_fields)


@pytest.mark.parametrize(
    ("field", "text", "expected"),
    [
        ("workers", "two", "a valid integer"),
        ("workers", "", "a valid integer"),
        ("workers", "-1", "greater than or equal to 0"),
        ("threshold", "nan", "a finite number"),
        ("threshold", "1.5", "less than or equal to 1"),
        ("require_blessed", "maybe", "a valid boolean"),
        ("runtime", "onnx", "'auto', 'litert' or 'tensorflow'"),
        ("model_name", "", "not empty"),
        ("vertex_predict_route", "/{x}", "a path that begins with / and has no braces"),
    ],
)
def test_a_wrong_one_is_named_with_its_value_and_what_is_expected(field, text, expected):
    with pytest.raises(InputError) as told:
        Settings.from_environment({"CHRYSALIS_MODEL": "m", variable(field): text})
    assert str(told.value) == f"expected {variable(field)} to be {expected}, got {text!r}"


def test_an_empty_key_is_refused_lest_a_server_be_open_by_mistake():
    with pytest.raises(InputError, match="CHRYSALIS_API_KEY"):
        Settings.from_environment({"CHRYSALIS_MODEL": "m", "CHRYSALIS_API_KEY": ""})


def test_a_key_is_never_shown():
    settings = Settings.from_environment({"CHRYSALIS_MODEL": "m", "CHRYSALIS_API_KEY": "s3cret"})
    assert "s3cret" not in repr(settings)


def test_an_option_is_named_as_it_was_given():
    with pytest.raises(InputError, match=r"^expected --max-batch to be greater"):
        Settings.from_environment({"CHRYSALIS_MODEL": "m"}, max_batch=0)
    with pytest.raises(InputError, match=r"^expected --model or CHRYSALIS_MODEL: "):
        Settings.from_environment({})
