"""The Open Inference Protocol, held against its specification: JSON, binary tensors, classification."""

import base64
import json
import struct
import tomllib
from pathlib import Path

import numpy as np
import pytest
import requests
from hypothesis import example, given, settings
from hypothesis import strategies as st

CLASSES = ["blue", "green", "red"]
SIZE = 32
LENGTH = "Inference-Header-Content-Length"
PROJECT = Path(__file__).parents[3] / "pyproject.toml"


@pytest.fixture(scope="session")
def url(model):
    return f"/v2/models/{model.name}"


def element(data):
    return struct.pack("<I", len(data)) + data


def image_tensor(*images, **fields):
    texts = [base64.b64encode(image).decode() for image in images]
    return {"name": "image_bytes", "datatype": "BYTES", "shape": [len(images)], "data": texts, **fields}


def pixel_tensor(data, **fields):
    return {"name": "pixels", "datatype": "UINT8", "shape": [1, SIZE, SIZE, 3], "data": data, **fields}


def binary_tensor(size, **fields):
    described = {"name": "image_bytes", "datatype": "BYTES", "shape": [1]}
    return {**described, "parameters": {"binary_data_size": size}, **fields}


def infer(server, url, document, binary=b"", length=None):
    """The status, the JSON, and the bytes after it."""
    header = json.dumps(document).encode()
    answer = requests.post(
        f"{server.url}{url}/infer",
        data=header + binary,
        headers={LENGTH: length or str(len(header))} if binary or length else {},
        timeout=30,
    )
    end = int(answer.headers.get(LENGTH, len(answer.content)))
    return answer.status_code, json.loads(answer.content[:end]), answer.content[end:]


def test_the_server_and_its_model_say_what_they_are(server, url, model):
    version = tomllib.loads(PROJECT.read_text())["project"]["version"]
    extensions = ["binary_tensor_data", "classification"]
    assert server.get("/v2").content == {"name": "chrysalis", "version": version, "extensions": extensions}
    assert server.get("/v2/health/live").content == {"live": True}
    assert server.get("/v2/health/ready").content == {"ready": True}
    described = {
        "name": model.name,
        "versions": [model.version],
        "platform": "litert_tflite",
        "inputs": [
            {"name": "image_bytes", "datatype": "BYTES", "shape": [-1]},
            {"name": "pixels", "datatype": "UINT8", "shape": [-1, SIZE, SIZE, 3]},
        ],
        "outputs": [
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]},
            {"name": "class_names", "datatype": "BYTES", "shape": [-1, 3]},
        ],
    }
    for place in (url, f"{url}/versions/{model.version}"):
        assert server.get(place).content == described
        assert server.get(f"{place}/ready").content == {"name": model.name, "ready": True}


def test_what_is_not_here_is_told_with_what_is(server, url, model):
    for path, said in (
        ("/v2/models/half", model.name),
        ("/v2/models/half/ready", model.name),
        (f"{url}/versions/1", model.version),
    ):
        answer = server.get(path)
        assert answer.status == 404
        assert said in answer.content["error"]
    assert server.post(f"{url}/versions/1/infer", data="no matter").status == 404


def test_images_in_json(server, url, model, picture, expected):
    images = [picture("red"), picture("blue", kind="JPEG")]
    document = {"id": "7", "inputs": [image_tensor(*images)]}
    status, answer, _ = infer(server, f"{url}/versions/{model.version}", document)
    assert status == 200, answer
    probabilities, names = answer.pop("outputs")
    assert answer == {"id": "7", "model_name": model.name, "model_version": model.version}
    assert (probabilities["name"], probabilities["datatype"]) == ("probabilities", "FP32")
    assert probabilities["shape"] == [2, 3]
    assert probabilities["data"] == expected(images[0]) + expected(images[1])
    assert names == {"name": "class_names", "datatype": "BYTES", "shape": [2, 3], "data": CLASSES * 2}


def test_pixels_flat_nested_and_binary_are_the_same(server, url):
    pixels = np.random.default_rng(0).integers(0, 256, (1, SIZE, SIZE, 3), np.uint8)
    tensors = [pixel_tensor(pixels.tolist()), pixel_tensor(pixels.ravel().tolist())]
    answers = [infer(server, url, {"inputs": [tensor]}) for tensor in tensors]
    tensor = binary_tensor(pixels.size, name="pixels", datatype="UINT8", shape=[1, SIZE, SIZE, 3])
    answers.append(infer(server, url, {"inputs": [tensor]}, pixels.tobytes()))
    assert answers[0][0] == 200, answers[0]
    assert "id" not in answers[0][1]
    assert answers[0] == answers[1] == answers[2]


def test_outputs_come_in_the_order_and_the_form_asked_for(server, url, picture, expected):
    image = picture("green")
    document = {
        "inputs": [image_tensor(image)],
        "parameters": {"binary_data_output": True, "priority": 2},
        "outputs": [
            {"name": "class_names"},
            {"name": "probabilities", "parameters": {"binary_data": False}},
        ],
    }
    status, answer, binary = infer(server, url, document)
    assert status == 200, answer
    names, probabilities = answer["outputs"]
    assert names["parameters"] == {"binary_data_size": len(binary)}
    assert "data" not in names
    assert binary == b"".join(element(name.encode()) for name in CLASSES)
    assert probabilities["data"] == expected(image)

    document["outputs"] = [{"name": "probabilities"}]
    _, answer, binary = infer(server, url, document)
    assert [output["name"] for output in answer["outputs"]] == ["probabilities"]
    assert np.frombuffer(binary, "<f4").tolist() == expected(image)


def test_images_as_binary_data(server, url, picture):
    images = [picture("red"), picture("green")]
    binary = b"".join(map(element, images))
    got = infer(server, url, {"inputs": [binary_tensor(len(binary), shape=[2])]}, binary)
    assert got[0] == 200, got
    assert got == infer(server, url, {"inputs": [image_tensor(*images)]})


def test_a_body_may_be_nothing_but_an_image(server, url, picture, expected):
    """As `curl --data-binary @photo.jpg -H "Inference-Header-Content-Length: 0"`."""
    image = picture("blue", kind="JPEG")
    answer = requests.post(f"{server.url}{url}/infer", data=image, headers={LENGTH: "0"}, timeout=30)
    end = int(answer.headers[LENGTH])
    probabilities = json.loads(answer.content[:end])["outputs"][0]
    size = probabilities["parameters"]["binary_data_size"]
    assert np.frombuffer(answer.content[end:][:size], "<f4").tolist() == expected(image)


@pytest.mark.parametrize("top", [1, 2, 99])
def test_classification_ranks_and_labels(server, url, picture, expected, top):
    image = picture("green")
    outputs = [{"name": "probabilities", "parameters": {"classification": top}}]
    _, answer, _ = infer(server, url, {"inputs": [image_tensor(image)], "outputs": outputs})
    (tensor,) = answer["outputs"]
    ranked = sorted(enumerate(expected(image)), key=lambda one: -one[1])[:top]
    assert tensor["datatype"] == "BYTES"
    assert tensor["shape"] == [1, len(ranked)]
    assert tensor["data"] == [f"{value:f}:{index}:{CLASSES[index]}" for index, value in ranked]


IMAGE = image_tensor(b"x")
FLAT = [0] * (SIZE * SIZE * 3)
SHAPE = "[n, 32, 32, 3]"


def asking(**output):
    return {"inputs": [IMAGE], "outputs": [{"name": "probabilities", **output}]}


BAD = [
    ("another document", [], "JSON object"),
    ("no inputs", {}, "one input"),
    ("two inputs", {"inputs": [IMAGE, pixel_tensor(FLAT)]}, "one input"),
    ("an input that is none", {"inputs": [3]}, "one input"),
    ("an id that is none", {"id": 3, "inputs": [IMAGE]}, "id as a string"),
    ("another input", {"inputs": [{**IMAGE, "name": "x"}]}, "image_bytes or pixels"),
    ("a name that is none", {"inputs": [{**IMAGE, "name": {}}]}, "image_bytes or pixels"),
    ("another datatype", {"inputs": [{**IMAGE, "datatype": "UINT8"}]}, "BYTES"),
    ("another rank", {"inputs": [{**IMAGE, "shape": [1, 1]}]}, "[n]"),
    ("no shape", {"inputs": [{**IMAGE, "shape": None}]}, "[n]"),
    ("an empty shape", {"inputs": [{**IMAGE, "shape": []}]}, "[n]"),
    ("a negative shape", {"inputs": [{**IMAGE, "shape": [-1]}]}, "[n]"),
    ("a shape of bools", {"inputs": [{**IMAGE, "shape": [True]}]}, "[n]"),
    ("a shape of 65 bits", {"inputs": [{**IMAGE, "shape": [1 << 64]}]}, "[n]"),
    ("an image's shape that isn't", {"inputs": [pixel_tensor(FLAT, shape=[1, 9**9, 32, 3])]}, SHAPE),
    ("no images", {"inputs": [{**IMAGE, "shape": [0], "data": []}]}, "no image"),
    ("fewer values", {"inputs": [{**IMAGE, "shape": [2]}]}, "shape [2]"),
    ("fewer colours", {"inputs": [pixel_tensor(FLAT[1:])]}, "shape [3072]"),
    ("a nest of another shape", {"inputs": [pixel_tensor([FLAT])]}, "shape [1, 32, 32, 3]"),
    ("values that are none", {"inputs": [pixel_tensor("x" * 3072)]}, "shape [3072]"),
    ("a colour that is none", {"inputs": [pixel_tensor([*FLAT[1:], "0"])]}, "whole numbers"),
    ("no base64", {"inputs": [{**IMAGE, "data": ["#"]}]}, "element 0"),
    ("no data", {"inputs": [{**IMAGE, "data": None}]}, "shape [1]"),
    (
        "neither data nor bytes",
        {"inputs": [{"name": "image_bytes", "datatype": "BYTES", "shape": [1]}]},
        "either",
    ),
    ("data and bytes", {"inputs": [{**IMAGE, "parameters": {"binary_data_size": 0}}]}, "either"),
    ("bytes that don't come", {"inputs": [binary_tensor(9)]}, "0 bytes follow"),
    ("a size that is none", {"inputs": [binary_tensor(0.0)]}, "binary_data_size is 0.0"),
    ("parameters that are none", {"inputs": [IMAGE], "parameters": []}, "as an object"),
    ("a tensor's that are none", {"inputs": [{**IMAGE, "parameters": 3}]}, "as an object"),
    ("a flag that is none", {"inputs": [IMAGE], "parameters": {"binary_data_output": 1}}, "true or false"),
    ("outputs that are none", {"inputs": [IMAGE], "outputs": "probabilities"}, "as a list"),
    ("an output that is none", {"inputs": [IMAGE], "outputs": [3]}, "as a list"),
    ("another output", asking(name="x"), "probabilities and class_names"),
    ("an output twice", {"inputs": [IMAGE], "outputs": [{"name": "class_names"}] * 2}, "each once"),
    ("a form that is none", asking(parameters={"binary_data": "yes"}), "true or false"),
    ("the best 0", asking(parameters={"classification": 0}), "from 1"),
    ("the best 1.0", asking(parameters={"classification": 1.0}), "from 1"),
    ("the best names", asking(name="class_names", parameters={"classification": 1}), "probabilities"),
]


@pytest.mark.parametrize(("document", "said"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_requests_are_told_what_is_wrong(server, url, document, said):
    status, answer, _ = infer(server, url, document)
    assert status == 400, answer
    assert said in answer["error"]


BAD_BINARY = [
    ("bytes that nobody announced", [IMAGE], b"x", "1 bytes follow"),
    ("fewer than announced", [binary_tensor(5)], element(b""), "4 bytes follow"),
    ("an element longer than all", [binary_tensor(5)], b"\xff\xff\xff\xff.", "within element 0"),
    ("an element without its length", [binary_tensor(3)], b"\0\0\0", "within element 0"),
    ("fewer elements", [binary_tensor(4, shape=[2])], element(b""), "within element 1 of 2"),
    ("more elements", [binary_tensor(8)], element(b"") * 2, "4 bytes more"),
    (
        "fewer pixels",
        [binary_tensor(9, name="pixels", datatype="UINT8", shape=[1, SIZE, SIZE, 3])],
        bytes(9),
        "expected 3072 bytes",
    ),
]


@pytest.mark.parametrize(
    ("inputs", "binary", "said"), [case[1:] for case in BAD_BINARY], ids=[case[0] for case in BAD_BINARY]
)
def test_binary_data_that_lie_are_told_so(server, url, inputs, binary, said):
    status, answer, _ = infer(server, url, {"inputs": inputs}, binary)
    assert status == 400, answer
    assert said in answer["error"]


@pytest.mark.parametrize("length", ["-1", "x", "1e2", "99999", "9" * 5000, "+1"])
def test_a_length_that_lies_is_told_so(server, url, length):
    status, answer, _ = infer(server, url, {"inputs": [IMAGE]}, length=length)
    assert status == 400
    assert LENGTH in answer["error"]


def test_a_shape_too_large_is_refused_before_anything_is_made_of_it(server, url):
    for tensor in (
        {**IMAGE, "shape": [(1 << 63) - 1]},
        pixel_tensor(FLAT, shape=[1 << 62, SIZE, SIZE, 3]),
        binary_tensor(0, shape=[1 << 40]),
    ):
        status, answer, _ = infer(server, url, {"inputs": [tensor]})
        assert status == 413
        assert "at most 32 images" in answer["error"]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "data"]), inner, max_size=2)
    ),
)
PARAMETERS = st.dictionaries(
    st.sampled_from(["binary_data_size", "binary_data", "binary_data_output", "classification"]),
    st.integers(-1, 20) | ANYTHING,
    max_size=3,
)
TENSOR = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["image_bytes", "pixels", "probabilities"]) | ANYTHING,
        "datatype": st.sampled_from(["BYTES", "UINT8", "FP32"]) | ANYTHING,
        "shape": st.sampled_from([[1], [2], [1, SIZE, SIZE, 3]])
        | st.lists(st.integers(), max_size=4)
        | ANYTHING,
        "data": st.sampled_from([["AAAA"], FLAT]) | ANYTHING,
        "parameters": PARAMETERS | ANYTHING,
    },
)
DOCUMENT = st.fixed_dictionaries(
    {"inputs": st.lists(TENSOR, max_size=2) | ANYTHING},
    optional={
        "id": st.text(max_size=3) | ANYTHING,
        "outputs": st.lists(TENSOR, max_size=3) | ANYTHING,
        "parameters": PARAMETERS | ANYTHING,
    },
)


@settings(max_examples=150, deadline=None)
@given(
    document=DOCUMENT | ANYTHING,
    binary=st.binary(max_size=20) | st.binary(max_size=8).map(element),
    length=st.none() | st.integers(-2, 200).map(str) | st.text("0123456789-+ex", min_size=1, max_size=30),
)
@example(document={"inputs": [binary_tensor(5)]}, binary=element(b"x"), length=None)
def test_no_request_is_a_crash(server, url, document, binary, length):
    status, answer, _ = infer(server, url, document, binary, length)
    if status == 200:  # an image of only 3,072 zeros is one
        assert answer["outputs"]
    else:
        assert 400 <= status < 500
        assert answer["error"]


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_no_binary_data_are_a_crash(server, url, picture, data):
    """A right request of two images, whose bytes, count and lengths are then changed."""
    binary = element(picture("red", (8, 8))) + element(picture("blue", (8, 8)))
    start = data.draw(st.integers(0, len(binary)))
    spoilt = (
        binary[:start]
        + data.draw(st.binary(max_size=6))
        + binary[data.draw(st.integers(start, len(binary))) :]
    )
    size = data.draw(st.sampled_from([len(spoilt), len(binary)]))
    count = data.draw(st.sampled_from([1, 2, 3, 1 << 31]))
    status, answer, _ = infer(server, url, {"inputs": [binary_tensor(size, shape=[count])]}, spoilt)
    assert status < 500, answer
