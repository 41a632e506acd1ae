"""What each door takes and answers, over real HTTP."""

import base64
import io
import json

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

CLASSES = ["blue", "green", "red"]


def b64(data):
    return base64.b64encode(data).decode()


def best(answer):
    assert answer.status == 200, answer
    return [prediction["class"] for prediction in answer.content["predictions"]]


def test_a_photo_gets_its_classes_ranked(server, picture):
    answer = server.post(files={"file": picture("green", kind="JPEG")}, data={"top_k": 2})
    (prediction,) = answer.content["predictions"]
    assert prediction["class"] == prediction["top"][0]["class"] == "green"
    assert [len(prediction["top"]), answer.status] == [2, 200]
    assert prediction["probability"] > 0.5 > prediction["top"][1]["probability"]


def test_many_photos_keep_their_order(server, picture):
    colours = ["red", "blue", "green", "blue", "red"]
    assert best(server.post(files=[("files", picture(colour)) for colour in colours])) == colours


@pytest.mark.parametrize("route", ["/vertex/predict", "/predict"])
def test_vertex_gets_one_prediction_for_each_instance(server, picture, route):
    instances = [{"b64": b64(picture("red"))}, b64(picture("blue"))]
    answer = server.post(route, json={"instances": instances, "parameters": {"top_k": 1.0}})
    assert best(answer) == ["red", "blue"]
    assert [len(prediction["top"]) for prediction in answer.content["predictions"]] == [1, 1]


def test_health_and_the_model(server):
    assert server.get("/healthz").status == server.get("/readyz").status == 200
    assert server.get("/vertex/health").status == 200
    model = server.get("/model").content
    assert (model["name"], model["class_names"], model["runtime"]) == ("tiny-run", CLASSES, "litert")


def test_the_page_may_load_nothing_from_elsewhere(server):
    page = server.get("/")
    assert page.status == 200
    assert "Chrysalis" in page.content
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


BAD = [
    ("no image", {"files": {"file": b"hello"}}, 422, "not an image"),
    ("an empty file", {"files": {"file": b""}}, 422, "empty"),
    ("text for a file", {"files": {"other": b"x"}, "data": {"file": "hello"}}, 400, "as a file"),
    ("no file at all", {"files": {"other": b"x"}}, 400, "a field named file, got other"),
    ("a form without fields of files", {"files": {"top_k": (None, "1")}}, 400, "no image"),
    ("a field without a file", {"files": {"file": (None, "")}}, 400, "no image"),
    (
        "no multipart body",
        {"data": b"x", "headers": {"content-type": "multipart/form-data"}},
        400,
        "boundary",
    ),
    ("another content type", {"data": b"x", "headers": {"content-type": "text/plain"}}, 415, "Content-Type"),
    ("a content type of a file", {"data": b"x", "headers": {"content-type": "image/png"}}, 415, "image/png"),
    ("no content type", {"data": b"x"}, 400, "no JSON"),
    ("no JSON", {"data": b"{", "headers": {"content-type": "application/json"}}, 400, "no JSON"),
    ("deep JSON", {"data": b"[" * 9999, "headers": {"content-type": "application/json"}}, 400, "no JSON"),
    ("another document", {"json": ["x"]}, 400, "instances"),
    ("no instances", {"json": {"instances": []}}, 400, "no image"),
    ("an instance that is none", {"json": {"instances": [{"b64": ""}, 3]}}, 400, "instance 1"),
    ("no base64", {"json": {"instances": ["####"]}}, 400, "instance 0"),
    ("parameters that are none", {"json": {"instances": ["AA=="], "parameters": [1]}}, 400, "parameters"),
    ("no such top_k", {"json": {"instances": ["AA=="], "parameters": {"top_k": 1.5}}}, 400, "top_k"),
    ("top_k of 0", {"files": {"file": b"x"}, "data": {"top_k": "0"}}, 400, "top_k"),
]


@pytest.mark.parametrize(
    ("body", "status", "said"), [case[1:] for case in BAD], ids=[case[0] for case in BAD]
)
def test_bad_requests_are_told_what_is_wrong(server, body, status, said):
    answer = server.post(**body)
    assert answer.status == status, answer
    assert said in answer.content["error"]


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "application/vnd.api+json", None])
def test_json_is_read_as_curl_sends_it(server, picture, kind):
    instances = [base64.b64encode(picture("red")).decode()]
    answer = server.post(data=json.dumps({"instances": instances}), headers={"content-type": kind})
    assert best(answer) == ["red"]


def test_of_several_images_the_bad_one_is_named(server, picture):
    truncated = picture("red", kind="JPEG")[:-300]
    answer = server.post(files=[("files", picture("red")), ("files", truncated)])
    assert answer.status == 422
    assert "image 1: truncated" in answer.content["error"]
    assert best(server.post(files={"file": picture("red")})) == ["red"]


def test_a_picture_of_a_gigapixel_is_refused_by_its_header(server):
    header = b"P6 40000 40000 255\n" + bytes(100)
    answer = server.post(files={"file": header})
    assert answer.status == 422
    assert "too many pixels" in answer.content["error"]


def test_a_phones_photo_passes_and_more_does_not(server):
    def blank(width, height):
        buffer = io.BytesIO()
        Image.new("1", (width, height)).save(buffer, "PNG")
        return buffer.getvalue()

    assert server.post(files={"file": blank(5712, 4284)}).status == 200
    answer = server.post(files={"file": blank(8000, 4000)})
    assert answer.status == 422
    assert "too many pixels: 8000x4000" in answer.content["error"]
    answer = server.post(files=[("files", blank(5000, 5000))] * 5)
    assert answer.status == 413
    assert "got 125" in answer.content["error"]


def test_unknown_paths_and_methods_answer_json_too(server):
    assert server.get("/nothing").status == 404
    assert "/nothing" in server.get("/nothing").content["error"]
    assert server.get("/predict").status == 405
    assert server.get("/predict").headers["allow"] == "POST"
    assert server.post("/../../etc/passwd").status in (404, 405)


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_files_are_given_whole(server, path):
    for wanted in ("bytes=9999999-", "nonsense", "bytes=0-1"):
        assert requests.get(server.url + path, headers={"range": wanted}, timeout=30).status_code == 200


def test_no_path_leads_to_the_host_that_a_request_names(server):
    headers = {"host": "evil.example"}
    answer = requests.post(server.url + "/predict/", headers=headers, allow_redirects=False, timeout=30)
    assert answer.status_code in (404, 405)
    assert "evil" not in answer.text


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/vertex/health", "/model", "/"])
def test_probes_may_ask_by_head(server, path):
    answer = requests.head(server.url + path, timeout=30)
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_over_the_limit_is_refused(narrow_server, announced):
    body = bytes(300_000)
    chunks = body if announced else (body[i : i + 50_000] for i in range(0, len(body), 50_000))
    answer = narrow_server.post(data=chunks, headers={"content-type": "application/json"})
    assert answer.status == 413
    assert "100000 bytes" in answer.content["error"]


def test_too_many_images_are_refused(narrow_server, picture):
    answer = narrow_server.post(files=[("files", picture("red", (8, 8)))] * 5)
    assert answer.status == 413
    assert "at most 4 images" in answer.content["error"]


def test_a_full_queue_asks_to_come_again(narrow_server, picture):
    answer = narrow_server.post(files=[("files", picture("red", (8, 8)))] * 4)
    assert answer.status == 503
    assert answer.headers["retry-after"] == "1"
    assert best(narrow_server.post(files={"file": picture("red")})) == ["red"]


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(
        ["application/json", "multipart/form-data; boundary=x", "application/json; charset=q"]
    ),
    body=st.binary(max_size=200)
    | st.binary(max_size=60).map(lambda part: b'--x\r\ncontent-disposition: form-data; name="file"' + part)
    | st.recursive(
        st.none() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["instances", "parameters", "b64", "top_k"]), inner)
        ),
    ).map(lambda value: repr(value).encode()),
)
def test_no_body_is_a_crash(server, kind, body):
    answer = requests.post(f"{server.url}/predict", data=body, headers={"content-type": kind}, timeout=30)
    assert 400 <= answer.status_code < 500
    assert answer.json()["error"]
