"""A server asked over HTTP: what is sent to it, and what it may answer."""

import json
import re

import pytest

from contracts.errors import InputError, StageError
from imaging import ImageError
from serving.client import Client
from serving.remote import REQUEST_BYTES
from serving.settings import Settings


def classes(answers):
    return [answer.top[0].name for answer in answers]


@pytest.fixture
def ask(loopback):
    """A client of a server that gives the listed answers in turn; `.seen` are the requests it got."""

    def make(*answers, key=None):
        seen, left = [], list(answers)

        def answer(request, body):
            seen.append((dict(request.headers), body))
            status, headers, content = left.pop(0)
            return status, headers, content if isinstance(content, bytes) else json.dumps(content).encode()

        client = Client(loopback(answer), {"top_k": 1}, key)
        return client, seen

    return make


RED = {"predictions": [{"sure": True, "top": [{"class": "red", "probability": 0.9}]}]}


def told(**changed):
    return {"predictions": [RED["predictions"][0] | changed]}


def top(**changed):
    return told(top=[{"class": "red", "probability": 0.9} | changed])


def test_a_bad_image_doesnt_hold_up_the_others(server, picture):
    answers = Client(server.url, {})([picture("red"), b"hello", picture("blue"), b""])
    assert classes([answers[0], answers[2]]) == ["red", "blue"]
    assert [str(answers[1]), str(answers[3])] == ["not an image", "empty"]
    assert isinstance(answers[1], ImageError)


def test_many_large_images_go_in_several_requests(server, picture):
    colours = ["red", "green", "blue"] * 3
    images = [picture(colour, (1500, 1100)) for colour in colours]  # noise: 5 MB each
    assert sum(map(len, images)) > 10 * REQUEST_BYTES
    assert classes(Client(server.url, {})(images)) == colours


def test_a_request_fits_vertex_ai_in_base64(loopback, picture):
    seen = []

    def answer(request, body):
        seen.append(body)
        images = body.count(b"filename=")
        return 200, {}, json.dumps({"predictions": RED["predictions"] * images}).encode()

    Client(loopback(answer), {})([picture("red", (2500, 2000))] * 4)
    assert 1 <= len(seen) <= 2
    for body in seen:
        assert len(body) * 4 / 3 < 1_500_000


def test_a_busy_server_is_asked_again(ask, picture):
    busy = (503, {"Retry-After": "1"}, {"error": "still loading"})
    client, seen = ask(busy, busy, (200, {}, RED))
    assert classes(client([picture("red")])) == ["red"]
    assert len(seen) == 3


def test_the_key_comes_from_the_environment_and_goes_nowhere_else(
    tiny_bundle, serve, run_module, tmp_path, picture
):
    photo = tmp_path / "red.png"
    photo.write_bytes(picture("red"))
    (tmp_path / "key").write_text("a-key\n")
    with serve(Settings(model=str(tiny_bundle), api_key="a-key")) as server:
        for environment, code in (
            ({"CHRYSALIS_API_KEY": "a-key"}, 0),
            ({"CHRYSALIS_API_KEY_FILE": str(tmp_path / "key")}, 0),
            ({"CHRYSALIS_API_KEY": "another"}, 2),
            ({}, 2),
        ):
            process = run_module("serving.predict", "--url", server.url, str(photo), **environment)
            _, errors = process.communicate(timeout=60)
            assert process.returncode == code, errors
            if code:
                assert "set CHRYSALIS_API_KEY" in errors
                assert len(errors.splitlines()) == 1


def test_a_time_to_come_again_that_is_none_isnt_waited_for(ask, picture):
    client, seen = ask((503, {"Retry-After": "nonsense"}, {"error": "busy"}), (200, {}, RED))
    assert classes(client([picture("red")])) == ["red"]
    assert len(seen) == 2


def test_an_image_that_is_refused_without_a_reason_is_told_so(ask, picture):
    client, _ = ask((422, {}, {"error": 5}))
    assert [str(answer) for answer in client([picture("red")])] == ["it gave no reason"]


def test_a_redirect_isnt_followed(ask, loopback, picture):
    led_astray = []
    elsewhere = loopback(lambda request, body: (led_astray.append(request), (200, {}, b"{}"))[1])
    client, seen = ask((307, {"Location": elsewhere}, {}), key=b"a-key")
    with pytest.raises(StageError, match="307"):
        client([picture("red")])
    assert seen[0][0]["X-API-Key"] == "a-key"
    assert led_astray == []


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        ((200, {}, b"<html>"), InputError, "isn't a Chrysalis server"),
        ((200, {}, {"hello": 1}), InputError, "isn't a Chrysalis server"),
        ((200, {}, [1]), InputError, "isn't a Chrysalis server"),
        ((200, {}, b"[" * 100_000), InputError, "isn't a Chrysalis server"),
        ((200, {}, {"predictions": []}), InputError, "0 predictions for 1 images"),
        ((200, {}, {"predictions": RED["predictions"] * 2}), InputError, "2 predictions for 1 images"),
        ((200, {}, told(top=[])), InputError, "no such predictions.0.top"),
        ((200, {}, told(sure="yes")), InputError, "no such predictions.0.sure"),
        ((200, {}, top(**{"class": 5})), InputError, "no such predictions.0.top.0.class"),
        ((200, {}, top(probability="x")), InputError, "no such predictions.0.top.0.probability"),
        ((200, {}, top(probability=1e308)), InputError, "no such predictions.0.top.0.probability"),
        ((500, {}, {"error": "\x1b[31m\n" + "x" * 999}), StageError, "answered 500:  [31m xxx"),
        ((500, {}, {"error": "its log says why"}), StageError, "answered 500: its log says why"),
        ((404, {}, [1]), StageError, "answered 404"),
    ],
)
def test_what_else_a_server_may_answer_is_one_line(ask, picture, answer, error, said):
    client, _ = ask(answer)
    with pytest.raises(error, match=re.escape(said)):
        client([picture("red")])


@pytest.mark.parametrize("url", ["nonsense", "file:///etc/passwd", "gs://a/b"])
def test_only_http_is_asked(url):
    with pytest.raises(InputError, match="http"):
        Client(url, {})
