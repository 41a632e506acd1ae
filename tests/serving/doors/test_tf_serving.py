"""TensorFlow Serving's REST API, held against its documentation and against the bundle's own SavedModel."""

import base64
import json

import numpy as np
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

CLASSES = ["blue", "green", "red"]
SIZE = 32


def b64(data):
    return {"b64": base64.b64encode(data).decode()}


@pytest.fixture(scope="session")
def url(model):
    return f"/v1/models/{model.name}"


def test_rows_are_answered_by_rows(server, url, picture, expected):
    images = [picture("red"), picture("blue", kind="JPEG")]
    alone = server.post(f"{url}:predict", json={"instances": [b64(image) for image in images]})
    named = server.post(
        f"{url}:predict",
        json={"instances": [{"image_bytes": b64(image)} for image in images], "signature_name": ""},
    )
    assert alone.status == 200, alone
    assert alone.content == named.content
    assert list(alone.content) == ["predictions"]
    for image, prediction in zip(images, alone.content["predictions"], strict=True):
        assert prediction == {"probabilities": expected(image), "class_names": CLASSES}


@pytest.mark.parametrize("form", [lambda images: images, lambda images: {"image_bytes": images}])
def test_columns_are_answered_by_columns(server, url, picture, expected, form):
    images = [picture("red"), picture("green")]
    answer = server.post(f"{url}:predict", json={"inputs": form([b64(image) for image in images])})
    assert answer.content == {
        "outputs": {
            "probabilities": [expected(image) for image in images],
            "class_names": [CLASSES, CLASSES],
        }
    }


@pytest.mark.parametrize("address", ["", "/versions/{version}", "/labels/stable"])
def test_the_model_is_found_by_version_and_label(server, url, model, picture, address):
    place = url + address.format(version=model.version)
    assert server.post(f"{place}:predict", json={"instances": [b64(picture("red"))]}).status == 200
    assert server.get(place).content == {
        "model_version_status": [
            {
                "version": model.version,
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }
    spec = {"name": model.name, "signature_name": "", "version": model.version}
    assert server.get(f"{place}/metadata").content["model_spec"] == spec


@pytest.mark.parametrize("signature", ["serving_default", "pixels"])
def test_answers_are_those_of_the_saved_model(server, url, tiny_bundle, picture, signature):
    import tensorflow as tf

    images = [picture("red"), picture("blue", kind="JPEG")]
    pixels = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3), np.uint8)
    saved_model = tf.saved_model.load(str(tiny_bundle / "saved_model"))
    if signature == "pixels":
        values, outputs = pixels.tolist(), saved_model.signatures[signature](pixels=tf.constant(pixels))
    else:
        values = [b64(image) for image in images]
        outputs = saved_model.signatures[signature](image_bytes=tf.constant(images))
    names = [[name.decode() for name in row] for row in outputs["class_names"].numpy().tolist()]

    def ask(form):
        answer = server.post(f"{url}:predict", json={"signature_name": signature, form: values})
        assert answer.status == 200, answer
        return answer.content

    columns, rows = ask("inputs")["outputs"], ask("instances")["predictions"]
    assert columns.keys() == outputs.keys()
    assert columns == {key: [row[key] for row in rows] for key in outputs}
    assert columns["class_names"] == names
    # The server runs the quantized network, the SavedModel is the float one.
    np.testing.assert_allclose(columns["probabilities"], outputs["probabilities"].numpy(), atol=0.1)


def test_the_metadata_are_the_saved_models(server, url, tiny_bundle):
    from google.protobuf.json_format import MessageToDict
    from tensorflow.core.protobuf import saved_model_pb2

    saved_model = saved_model_pb2.SavedModel()
    saved_model.ParseFromString((tiny_bundle / "saved_model/saved_model.pb").read_bytes())
    signatures = {
        name: MessageToDict(
            signature, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
        for name, signature in saved_model.meta_graphs[0].signature_def.items()
    }
    metadata = server.get(f"{url}/metadata").content["metadata"]
    assert metadata == {"signature_def": {"signature_def": signatures}}


def test_what_is_not_here_is_told_with_what_is(server, url, model):
    for path, said in (
        ("/v1/models/half", model.name),
        ("/v1/models/half/metadata", model.name),
        (f"{url}/versions/1", model.version),
        (f"{url}/labels/canary", "stable"),
    ):
        answer = server.get(path)
        assert answer.status == 404
        assert said in answer.content["error"]
    assert server.post("/v1/models/half:predict", data="no matter").status == 404


ROW = [[[0, 0, 0]] * SIZE] * SIZE
BAD = [
    ("no JSON", "{", "no JSON"),
    ("another document", [], "instances"),
    ("neither form", {"signature_name": "pixels"}, "instances"),
    ("both forms", {"instances": [], "inputs": []}, "either"),
    ("no instances", {"instances": []}, "no image"),
    ("instances that are no list", {"instances": {"b64": ""}}, "as a list"),
    ("an input that is one image", {"inputs": {"b64": ""}}, "image_bytes"),
    ("an input of another name", {"inputs": {"image": [{"b64": ""}]}}, "image_bytes"),
    ("text for an image", {"instances": ["hello"]}, "element 0"),
    ("pixels without their signature", {"instances": [ROW]}, '"signature_name": "pixels"'),
    ("another key", {"instances": [{"b64": ""}, {"image": {"b64": ""}}]}, "element 1"),
    ("no base64", {"instances": [{"b64": "#"}]}, "element 0"),
    ("no string", {"instances": [{"b64": 3}]}, "element 0"),
    ("no such signature", {"signature_name": "x", "instances": [{"b64": ""}]}, "serving_default"),
    ("a signature that is none", {"signature_name": [], "instances": [{"b64": ""}]}, "serving_default"),
    ("pixels of another size", {"signature_name": "pixels", "instances": [ROW[1:]]}, "[1, 32, 32, 3]"),
    ("a fraction", {"signature_name": "pixels", "inputs": [[[[0.0, 0, 0]] * SIZE] * SIZE]}, "whole"),
    ("a bool", {"signature_name": "pixels", "inputs": [[[[True, 0, 0]] * SIZE] * SIZE]}, "whole"),
    ("a colour of 256", {"signature_name": "pixels", "inputs": [[[[256, 0, 0]] * SIZE] * SIZE]}, "255"),
    ("a long number", {"signature_name": "pixels", "inputs": [[[[10**999, 0, 0]] * SIZE] * SIZE]}, "255"),
]


@pytest.mark.parametrize(("body", "said"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_requests_are_told_what_is_wrong(server, url, body, said):
    answer = server.post(f"{url}:predict", data=body if isinstance(body, str) else json.dumps(body))
    assert answer.status == 400, answer
    assert said in answer.content["error"]


def test_other_methods_are_refused(server, url):
    for method in ("classify", "regress"):
        answer = server.post(f"{url}:{method}", json={"examples": [{"x": 1.0}]})
        assert answer.status == 400
        assert method in answer.content["error"]


def test_images_count_against_the_limits(narrow_server, url, picture):
    answer = narrow_server.post(f"{url}:predict", json={"instances": [b64(picture("red", (8, 8)))] * 5})
    assert answer.status == 413
    assert "at most 4 images" in answer.content["error"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["b64", "image_bytes", "pixels"]), inner, max_size=3)
    ),
)


@settings(max_examples=60, deadline=None)
@given(
    document=st.dictionaries(
        st.sampled_from(["instances", "inputs", "signature_name"]), VALUES | st.just("pixels"), max_size=3
    )
    | VALUES
)
def test_no_document_is_a_crash(server, url, document):
    answer = requests.post(f"{server.url}{url}:predict", data=json.dumps(document), timeout=30)
    assert 400 <= answer.status_code < 500
    assert answer.json()["error"]
