"""Clients that exist already, unchanged: from PyPI, and as their documentation shows them."""

import base64
import json
import subprocess

import numpy as np
import pytest
import requests

CLASSES = ["blue", "green", "red"]
VERTEX_REGION = "us-central1"
ENDPOINT = f"projects/1/locations/{VERTEX_REGION}/endpoints/2"


def b64(data):
    return base64.b64encode(data).decode()


@pytest.fixture(scope="module")
def triton(server):
    """Triton's client."""
    from tritonclient.http import InferenceServerClient

    with InferenceServerClient(server.url.removeprefix("http://")) as client:
        yield client


def test_triton_finds_the_server_and_the_model(triton, model):
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready(model.name)
    assert triton.is_model_ready(model.name, model.version)
    assert not triton.is_model_ready(model.name, "1")
    assert "binary_tensor_data" in triton.get_server_metadata()["extensions"]
    metadata = triton.get_model_metadata(model.name)
    assert [tensor["name"] for tensor in metadata["inputs"]] == ["image_bytes", "pixels"]


@pytest.mark.parametrize("binary", [True, False])
def test_triton_classifies_images(triton, model, picture, expected, binary):
    from tritonclient.http import InferInput, InferRequestedOutput

    images = [picture("red"), picture("blue", kind="JPEG")]
    tensor = InferInput("image_bytes", [2], "BYTES")
    values = images if binary else [b64(image).encode() for image in images]
    tensor.set_data_from_numpy(np.array(values, object), binary_data=binary)
    outputs = [InferRequestedOutput(name, binary_data=binary) for name in ("class_names", "probabilities")]
    for asked in (None, outputs):
        result = triton.infer(model.name, [tensor], model.version, asked, request_id="7")
        assert result.get_response()["id"] == "7"
        got = result.as_numpy("probabilities")
        assert got.dtype == np.float32
        assert got.tolist() == [expected(image) for image in images]
        names = result.as_numpy("class_names").astype(str)
        assert names.tolist() == [CLASSES, CLASSES]


@pytest.mark.parametrize("binary", [True, False])
def test_triton_classifies_pixels(triton, model, binary):
    from tritonclient.http import InferInput, InferRequestedOutput

    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    tensor = InferInput("pixels", list(pixels.shape), "UINT8")
    tensor.set_data_from_numpy(pixels, binary_data=binary)
    output = InferRequestedOutput("probabilities", binary_data=binary, class_count=2)
    best = triton.infer(model.name, [tensor], outputs=[output]).as_numpy("probabilities").astype(str)
    rows = triton.infer(model.name, [tensor]).as_numpy("probabilities")
    assert best.shape == (3, 2)
    for ranked, row in zip(best, rows, strict=True):
        assert [text.split(":")[1:] for text in ranked] == [
            [str(index), CLASSES[index]] for index in np.argsort(-row)[:2]
        ]


def test_triton_raises_what_the_server_says(triton, model):
    from tritonclient.http import InferInput
    from tritonclient.utils import InferenceServerException

    tensor = InferInput("image", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([b"x"], object))
    with pytest.raises(InferenceServerException, match="image_bytes or pixels"):
        triton.infer(model.name, [tensor])


def test_tensorflow_serving_by_curl(server, model, picture):
    """As `curl -d '{"instances": …}' -X POST …:predict`, which calls its JSON a form."""
    body = json.dumps({"instances": [{"b64": b64(picture("red"))}]})
    command = ["curl", "-sS", "-d", "@-", "-X", "POST", f"{server.url}/v1/models/{model.name}:predict"]
    answer = subprocess.run(command, input=body, capture_output=True, text=True, timeout=30, check=True)
    (prediction,) = json.loads(answer.stdout)["predictions"]
    assert prediction["class_names"][np.argmax(prediction["probabilities"])] == "red"


def test_tensorflow_serving_by_requests(server, model, picture):
    """As TensorFlow's own example of its REST API does it."""
    data = json.dumps({"signature_name": "serving_default", "instances": [{"b64": b64(picture("blue"))}] * 2})
    response = requests.post(
        f"{server.url}/v1/models/{model.name}:predict",
        data=data,
        headers={"content-type": "application/json"},
        timeout=30,
    )
    predictions = json.loads(response.text)["predictions"]
    assert [np.argmax(prediction["probabilities"]) for prediction in predictions] == [0, 0]


def test_vertex_ais_prediction_client(run_server, tiny_bundle, picture):
    """Google's generated client, straight to a server whose route is that of an endpoint."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.aiplatform_v1 import PredictionServiceClient
    from google.protobuf.json_format import MessageToDict

    server = run_server("--model", str(tiny_bundle), AIP_PREDICT_ROUTE=f"/v1/{ENDPOINT}:predict")
    server.wait_until_ready()
    with PredictionServiceClient(
        transport="rest", credentials=AnonymousCredentials(), client_options={"api_endpoint": server.url}
    ) as client:
        answer = client.predict(
            endpoint=ENDPOINT,
            instances=[{"b64": b64(picture("green"))}, {"b64": b64(picture("red"))}],
            parameters={"top_k": 2},
            timeout=30,
        )
    predictions = MessageToDict(answer._pb)["predictions"]
    assert [prediction["class"] for prediction in predictions] == ["green", "red"]
    assert [len(prediction["top"]) for prediction in predictions] == [2, 2]


def test_vertex_ais_endpoint(server, loopback, picture):
    """The SDK's `Endpoint`, which knows only Vertex AI: this passes on to the route, as Vertex AI does."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import aiplatform

    def vertex_ai(request, body):
        if request.command == "GET":
            return 200, {}, json.dumps({"name": ENDPOINT, "displayName": "tiny"}).encode()
        headers = {"content-type": request.headers["content-type"]}
        answer = requests.post(f"{server.url}/vertex/predict", data=body, headers=headers, timeout=30)
        return answer.status_code, {}, answer.content

    aiplatform.init(
        project="p",
        location=VERTEX_REGION,
        api_endpoint=loopback(vertex_ai),
        api_transport="rest",
        credentials=AnonymousCredentials(),
    )
    instances = [{"b64": b64(picture("blue"))}]
    prediction = aiplatform.Endpoint(ENDPOINT).predict(instances, parameters={"top_k": 1}, timeout=30)
    (best,) = prediction.predictions
    assert best["class"] == "blue"
    assert best["top"] == [{"class": "blue", "probability": best["probability"]}]
