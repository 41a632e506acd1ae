"""The function as Lambda runs it: awslambdaric's own process, against a loopback Lambda runtime API."""

import base64
import json
import queue
from typing import Any, NamedTuple

import pytest

from contracts import storage

NEXT = "/2018-06-01/runtime/invocation/next"


class Outcome(NamedTuple):
    """What the function posted: `response`, `error`, or the init phase's error."""

    kind: str
    document: Any


class Runtime:
    """Lambda's side: hands out events, and takes what comes of them."""

    def __init__(self, loopback):
        self._events, self._outcomes = queue.Queue(), queue.Queue()
        self._invocations = 0
        self.address = loopback(self._answer).removeprefix("http://")

    def invoke(self, event):
        self._events.put(event)
        return self.outcome()

    def outcome(self):
        return self._outcomes.get(timeout=60)

    def _answer(self, request, body):
        if request.path == NEXT:
            self._invocations += 1
            headers = {
                "Lambda-Runtime-Aws-Request-Id": f"request-{self._invocations}",
                "Lambda-Runtime-Deadline-Ms": "9999999999999",
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:0:function:classify",
                "Content-Type": "application/json",
            }
            return 200, headers, json.dumps(self._events.get()).encode()
        self._outcomes.put(Outcome(request.path.rsplit("/", 1)[-1], json.loads(body)))
        return 202, {}, b"{}"


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
        runtime._events.put({})  # lets the server's thread end


def http(method, path, body=b"", **headers):
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "x.lambda-url.eu-west-1.on.aws", **headers},
        "requestContext": {"http": {"method": method, "path": path, "sourceIp": "203.0.113.7"}},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


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
    ):
        answer = function.invoke(event)
        assert (answer.kind, answer.document["errorType"]) == ("error", "InvocationError")
        assert said in answer.document["errorMessage"]


def test_a_model_that_cant_be_loaded_fails_the_init_phase(start, tmp_path):
    outcome = start(tmp_path).outcome()
    assert outcome.kind == "error"
    assert "bundle.json" in outcome.document["errorMessage"]
