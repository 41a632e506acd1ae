"""The function as Lambda runs it: awslambdaric's own process, against a loopback Lambda runtime API."""

import base64
import json

import pytest
from tests.serving.adapters.lambda_runtime import Runtime, http

from contracts import storage


@pytest.fixture
def start(loopback, run_module):
    runtimes = []

    def start_function(model, **environment):
        runtime = Runtime(loopback)
        runtimes.append(runtime)
        run_module(
            "awslambdaric",
            "serving.adapters.aws_lambda.handler",
            AWS_LAMBDA_RUNTIME_API=runtime.address,
            CHRYSALIS_MODEL=str(model),
            **environment,
        )
        return runtime

    yield start_function
    for runtime in runtimes:
        runtime.close()


def form(photo):
    head = b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    return head + photo + b"\r\n--x--\r\n"


def test_a_function_url_leads_to_every_door(start, tiny_bundle, picture):
    function = start(tiny_bundle)
    multipart = {"content-type": "multipart/form-data; boundary=x"}
    for colour in ("red", "blue"):  # the second is warm: one process, one model
        outcome = function.invoke(http("POST", "/predict", form(picture(colour)), **multipart))
        assert (outcome.kind, outcome.document["statusCode"]) == ("response", 200), outcome
        assert json.loads(outcome.document["body"])["predictions"][0]["class"] == colour
    assert function.invoke(http("GET", "/readyz")).document["statusCode"] == 200
    page = function.invoke(http("GET", "/")).document
    assert "Chrysalis" in page["body"]
    assert "default-src 'none'" in page["headers"]["content-security-policy"]
    wrong = function.invoke(http("POST", "/predict", form(b"hello"), **multipart)).document
    assert wrong["statusCode"] == 422
    assert "not an image" in wrong["body"]


def test_direct_invocations_get_the_doors_json_or_an_error(start, tiny_bundle, picture, bucket):
    storage.write_bytes(f"{bucket}/red.jpg", picture("red", kind="JPEG"))
    name = bucket.removeprefix("gs://")
    function = start(tiny_bundle, CHRYSALIS_ALLOW_BUCKETS=name, CHRYSALIS_API_KEY="a-key")
    instance = {"b64": base64.b64encode(picture("green")).decode()}
    answer = function.invoke({"instances": [instance], "parameters": {"top_k": 1}})
    assert answer.kind == "response", answer
    assert answer.document["predictions"][0]["class"] == "green"
    assert set(answer.document["model"]) == {"name", "version"}
    answer = function.invoke({"bucket": name, "filename": "red.jpg"})
    assert answer.document["predictions"][0]["class"] == "red"
    for event, said in (
        ({"bucket": name, "filename": "none.jpg"}, "404: filename: there is no"),
        ({"instances": ["####"]}, "400: instance 0"),
        ({"key": "of a scheduler"}, "400: expected"),
        ([1], "400: expected"),
        ({"requestContext": None}, "400: expected an HTTP event"),
        ({"version": "2.0", "requestContext": {"http": {"method": "GET"}}}, "400: expected an HTTP event"),
    ):
        answer = function.invoke(event)
        assert (answer.kind, answer.document["errorType"]) == ("error", "InvocationError")
        assert said in answer.document["errorMessage"]


def test_a_model_that_cant_be_loaded_fails_the_init_phase(start, tmp_path):
    outcome = start(tmp_path).outcome()
    assert outcome.kind == "error"
    assert "bundle.json" in outcome.document["errorMessage"]
