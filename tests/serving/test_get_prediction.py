"""Images that lie in a bucket: `/get-prediction`, Vertex AI's `gcs_uri`, and what is never fetched."""

import base64
import threading

import pytest
import requests

from contracts import storage
from serving.settings import Settings


@pytest.fixture
def photos(bucket, picture):
    """A bucket with a photo of each colour, and what can't be classified."""
    for colour in ("red", "green", "blue"):
        storage.write_bytes(f"{bucket}/photos/{colour}.jpg", picture(colour, kind="JPEG"))
    storage.write_bytes(f"{bucket}/large.jpg", bytes(120_000))
    storage.write_bytes(f"{bucket}/notes.txt", b"hello")
    return bucket.removeprefix("gs://")


@pytest.fixture
def ask(photos, tiny_bundle, serve):
    """POST JSON to a server that allows the bucket, and objects of 100 kB."""
    limits = {"max_body_bytes": 100_000, "max_images": 4, "bucket_timeout_s": 2}
    with serve(Settings(model=str(tiny_bundle), allow_buckets=(photos, "test-gone"), **limits)) as server:
        yield lambda path, **document: server.post(path, json=document)


def best(answer):
    assert answer.status == 200, answer
    return [prediction["class"] for prediction in answer.content["predictions"]]


def test_an_object_is_classified_and_the_model_named(ask, photos):
    answer = ask("/get-prediction", bucket=photos, filename="photos/red.jpg", top_k=2)
    assert best(answer) == ["red"]
    assert len(answer.content["predictions"][0]["top"]) == 2
    assert set(answer.content["model"]) == {"name", "version"}


def test_several_keep_their_order(ask, photos):
    names = [f"photos/{colour}.jpg" for colour in ("red", "blue", "green", "red")]
    assert best(ask("/get-prediction", bucket=photos, filenames=names)) == ["red", "blue", "green", "red"]


def test_vertex_instances_may_be_mixed(ask, photos, picture):
    sent = base64.b64encode(picture("blue")).decode()
    instances = [{"gcs_uri": f"gs://{photos}/photos/red.jpg"}, {"b64": sent}, sent]
    instances.append({"gcs_uri": f"gs://{photos}/photos/green.jpg"})
    answer = ask("/vertex/predict", instances=instances)
    assert best(answer) == ["red", "blue", "blue", "green"]
    assert set(answer.content) == {"predictions"}
    instances[3]["gcs_uri"] += "x"
    answer = ask("/vertex/predict", instances=instances)
    assert answer.status == 404
    assert "instance 3" in answer.content["error"]


WRONG = [
    ({"filename": "none.jpg"}, 404, "there is no gs://"),
    ({"filename": "photos/"}, 404, "there is no gs://"),
    ({"bucket": "test-gone", "filename": "a.jpg"}, 404, "there is no gs://"),
    ({"filename": "large.jpg"}, 413, "120000 bytes, and at most 100000"),
    ({"filename": "notes.txt"}, 422, "not an image"),
    ({"filenames": ["photos/red.jpg", "none.jpg"]}, 404, "filenames[1]"),
    ({"filenames": ["photos/red.jpg"] * 5}, 413, "at most 4 images"),
    ({"filenames": []}, 400, "no image"),
    ({"filenames": "photos/red.jpg"}, 400, "list"),
    ({}, 400, "filename"),
    ({"filename": ["a", "b"]}, 400, "filenames"),
    ({"filename": "a", "filenames": ["b"]}, 400, "filenames"),
    ({"filename": "a", "top_k": 0}, 400, "top_k"),
    ({"bucket": "other", "filename": "a.jpg"}, 403, "--allow-bucket or in CHRYSALIS_ALLOW_BUCKETS"),
    ({"bucket": "TEST-GONE", "filename": "a.jpg"}, 403, "isn't allowed"),
    ({"bucket": "gs://test-gone", "filename": "a.jpg"}, 403, "isn't allowed"),
    ({"bucket": "test-gone/../other", "filename": "a.jpg"}, 400, ".. between slashes"),
    ({"filename": "../other/a.jpg"}, 400, ".. between slashes"),
    ({"filename": "a\r\nHost: b"}, 400, "control"),
    ({"filename": "\ud800"}, 400, ""),
    ({"filename": "ä" * 600}, 400, "1024 bytes"),
    ({"filename": ""}, 400, "1 to"),
    ({"filename": 7}, 400, "'7'"),
    ({"bucket": None, "filename": "a"}, 400, "bucket"),
]


def test_what_is_wrong_is_told_apart(ask, photos):
    for document, status, said in WRONG:
        answer = ask("/get-prediction", **{"bucket": photos, **document})
        assert answer.status == status, (document, answer)
        assert said in answer.content["error"]


def test_nothing_outside_the_list_is_ever_asked(ask, loopback, photos):
    asked = []

    def note(request, _):
        asked.append(request.path)
        return 200, {}, b""

    elsewhere = loopback(note)
    for uri in (
        f"{elsewhere}/a.jpg",
        "http://169.254.169.254/computeMetadata/v1/",
        "file:///etc/passwd",
        "/etc/passwd",
        "gs://other/a.jpg",
        f"gs://{photos}@other/a.jpg",
        f"gs://{photos}",
        f"gs:///{photos}/a.jpg",
        f"GS://{photos}/a.jpg",
        f"gs://{photos}/../other/a.jpg",
    ):
        answer = ask("/predict", instances=[{"gcs_uri": uri}])
        assert answer.status in (400, 403), uri
        assert "instance 0" in answer.content["error"]
    assert asked == []


def test_by_default_no_bucket_is_allowed(server):
    answer = server.post("/get-prediction", json={"bucket": "any-bucket", "filename": "a.jpg"})
    assert answer.status == 403


@pytest.mark.parametrize(("status", "seen"), [(403, 403), (401, 503), (500, 503)])
def test_what_a_bucket_answers_is_told_apart(ask, photos, loopback, monkeypatch, status, seen):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", loopback(lambda *_: (status, {}, b"{}")))
    answer = ask("/get-prediction", bucket=photos, filename="photos/red.jpg")
    assert answer.status == seen
    assert (answer.headers.get("retry-after") == "1") == (seen == 503)


def test_a_redirect_isnt_followed(ask, photos, loopback, monkeypatch):
    asked = []

    def note(request, _):
        asked.append(request.path)
        return 404, {}, b"{}"

    elsewhere = loopback(note)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", loopback(lambda *_: (302, {"Location": elsewhere}, b"")))
    answer = ask("/get-prediction", bucket=photos, filename="photos/red.jpg")
    assert answer.status == 503
    assert asked == []


def test_a_silent_bucket_holds_nobody_else_up(ask, photos, loopback, monkeypatch, picture):
    release = threading.Event()

    def silent(*_):
        release.wait(20)
        return 500, {}, b""

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", loopback(silent))
    stuck = []

    def wait():
        stuck.append(ask("/get-prediction", bucket=photos, filename="a.jpg").status)

    threads = [threading.Thread(target=wait) for _ in range(6)]
    for thread in threads:
        thread.start()
    sent = base64.b64encode(picture("blue")).decode()
    for _ in range(3):
        assert best(ask("/predict", instances=[sent])) == ["blue"]
    assert stuck == []
    for thread in threads:
        thread.join()
    release.set()
    assert stuck == [503] * 6


def test_fetched_bytes_count_with_those_of_all_requests(photos, tiny_bundle, serve):
    settings = Settings(model=str(tiny_bundle), allow_buckets=(photos,), max_buffered_bytes=100_000)
    with serve(settings) as server:
        document = {"bucket": photos, "filename": "large.jpg"}
        for _ in range(2):  # and are let go of
            assert server.post("/get-prediction", json=document).status == 503
        assert server.post("/get-prediction", json={**document, "filename": "photos/red.jpg"}).status == 200


def test_an_object_that_lies_about_its_size_is_bounded(ask, photos, gcs_emulator, loopback, monkeypatch):
    def lie(request, _):
        if "/download/" in request.path:
            return 200, {}, bytes(10_000_000)
        answer = requests.get(gcs_emulator + request.path, timeout=10)
        return 200, {"Content-Type": "application/json"}, answer.content

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", loopback(lie))
    answer = ask("/get-prediction", bucket=photos, filename="photos/red.jpg")
    assert answer.status == 413
