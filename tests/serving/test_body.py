"""Bodies that are too much: too slow, compressed, too many at once, or larger than they look."""

import socket
import threading
import time

import pytest
import requests

from serving.body import MAX_JSON_VALUES, parse_json
from serving.errors import BodyTooLargeError, MalformedError
from serving.settings import Settings

BUDGET = 300_000


@pytest.fixture(scope="module")
def hasty(tiny_bundle, serve):
    """A server that waits for a second, and holds little."""
    limits = {"body_timeout_s": 1, "max_buffered_bytes": BUDGET, "max_body_bytes": 200_000}
    with serve(Settings(model=str(tiny_bundle), **limits)) as running:
        yield running


def send_slowly(server, size=100_000, announced=None):
    """Send a part of a body and wait; the whole answer, until the server closes."""
    with socket.create_connection(server.url.removeprefix("http://").split(":"), timeout=30) as client:
        head = "POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        client.sendall(f"{head}content-length: {announced or size * 2}\r\n\r\n".encode() + bytes(size))
        answer = b""
        while part := client.recv(65536):
            answer += part
        return answer


def test_a_slow_body_ends_its_connection(hasty):
    answer = send_slowly(hasty)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in answer
    assert b"100000 bytes of it came" in answer


def test_a_compressed_body_is_refused_by_its_name(hasty):
    answer = hasty.post(data=b"x", headers={"content-encoding": "gzip", "content-type": "application/json"})
    assert answer.status == 415
    assert "gzip" in answer.content["error"]


def test_all_bodies_together_are_bounded_and_the_room_is_given_back(hasty, picture):
    slow = [threading.Thread(target=send_slowly, args=[hasty, 140_000, 190_000]) for _ in range(2)]
    for thread in slow:
        thread.start()
    deadline = time.monotonic() + 30
    statuses = set()
    while 503 not in statuses and time.monotonic() < deadline:
        answer = hasty.post(files={"file": picture("red", (150, 90))})
        statuses.add(answer.status)
    assert answer.status == 503
    assert answer.headers["retry-after"] == "1"
    for thread in slow:
        thread.join()
    assert hasty.post(files={"file": picture("red", (150, 90))}).status == 200
    assert "chrysalis_buffered_bytes 0.0" in requests.get(f"{hasty.url}/metrics", timeout=30).text


def test_thousands_of_parts_are_refused(hasty):
    part = b'--x\r\ncontent-disposition: form-data; name="other"; filename="f"\r\n\r\n\r\n'
    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = hasty.post(data=part * 1500 + b"--x--\r\n", headers=headers)
    assert answer.status == 400
    assert "Too many files" in answer.content["error"]


def test_json_of_many_values_is_refused_before_it_is_parsed():
    with pytest.raises(BodyTooLargeError, match="values in a body of JSON"):
        parse_json(b"[" + b"[]," * MAX_JSON_VALUES + b"0]")


@pytest.mark.parametrize(
    "body", [b'{"id": "\\ud800"}', b'["\\uDFFF"]', b'"\xff"', b"[" * 100_000, b"1" * 5000, b""]
)
def test_what_json_cannot_hold_is_malformed(body):
    with pytest.raises(MalformedError, match="no JSON"):
        parse_json(body)


def test_whole_characters_are_no_surrogates():
    assert parse_json(b'"\\ud83c\\udf38 \\\\ud800"') == "\U0001f338 \\ud800"
