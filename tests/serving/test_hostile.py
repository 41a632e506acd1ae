"""Callers who want the server to fall: it refuses each of them, and serves the others meanwhile."""

import contextlib
import io
import random
import re
import socket
import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from PIL import Image

SHORT = {"CHRYSALIS_HEADER_TIMEOUT_S": "2", "CHRYSALIS_BODY_TIMEOUT_S": "3"}


def address(server):
    host, port = server.url.removeprefix("http://").split(":")
    return host, int(port)


def talk(server, *parts):
    """Send parts of bytes over one connection, and give all that comes until the server closes."""
    with socket.create_connection(address(server), timeout=60) as client:
        answer = b""
        with contextlib.suppress(ConnectionError):
            for part in parts:
                client.sendall(part)
            while data := client.recv(65536):
                answer += data
        return answer


def statuses(answer):
    return [int(status) for status in re.findall(rb"HTTP/1.1 (\d+) ", answer)]


def peak_mb(server):
    """The most memory that the server's process ever held."""
    (line,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{server.process.pid}/status").read_text())
    return int(line) / 1024


@pytest.fixture
def besieged(run_server, tiny_bundle, picture):
    """A server in a process of its own, which must still answer, with bounded memory, after the test."""
    server = run_server("--model", str(tiny_bundle), **SHORT)
    server.wait_until_ready()
    yield server
    assert server.process.poll() is None
    assert server.post(files={"file": picture("red")}).content["predictions"][0]["class"] == "red"
    assert peak_mb(server) < 700  # the budget of bodies is 128 MB, an image of 24 megapixels takes 100


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_bomb(side=30_000):
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(side // 8 + 1) * side, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def tall(kind, side, **options):
    buffer = io.BytesIO()
    Image.new("1" if kind == "TIFF" else "L", (side, side)).save(buffer, kind, **options)
    return buffer.getvalue()


def gif_bomb():
    gif = bytearray(tall("GIF", 8))
    gif[6:10] = struct.pack("<HH", 60_000, 60_000)
    return bytes(gif)


def webp_bomb():
    header = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + (16_383).to_bytes(3, "little") * 2
    frames = b"ANIM" + struct.pack("<I", 6) + bytes(6) + b"ANMF" + struct.pack("<I", 0)
    return b"RIFF" + struct.pack("<I", 4 + len(header + frames)) + b"WEBP" + header + frames


def text_bomb():
    text = b"comment\0\0" + zlib.compress(bytes(60 << 20), 9)
    png = tall("PNG", 8)
    return png[:33] + chunk(b"zTXt", text) * 50 + png[33:]


def test_bombs_are_refused_by_their_headers(besieged):
    bombs = {
        "PNG": png_bomb(),
        "TIFF": tall("TIFF", 20_000, compression="group4"),
        "GIF": gif_bomb(),
        "WebP": webp_bomb(),
        "text": text_bomb(),
        "JPEG": b"\xff\xd8" + b"\xff\xfe\x00\x02" * 5_000_000,
        "GIF of comments": b"GIF89a\x08\0\x08\0\0\0\0" + b"!\xfe\x01a\0" * 4_000_000,
    }
    for name, bomb in bombs.items():
        answer = besieged.post(files={"file": bomb})
        assert answer.status == 422, name
    answer = besieged.post(files=[("files", bombs["PNG"])] * 8)
    assert answer.status in (413, 422)


def test_mutated_images_get_an_answer(besieged, picture):
    chance = random.Random(1)
    kinds = {"JPEG": {}, "PNG": {}, "WEBP": {}, "GIF": {}, "TIFF": {"compression": "tiff_lzw"}, "BMP": {}}
    originals = [picture("green", kind=kind, **options) for kind, options in kinds.items()]

    def mutated():
        image = bytearray(chance.choice(originals))
        for _ in range(chance.choice([1, 4, 40])):
            image[chance.randrange(min(len(image), chance.choice([64, 1 << 20])))] = chance.randrange(256)
        return bytes(image[: chance.choice([len(image), chance.randrange(len(image))])])

    with requests.Session() as session:
        for _ in range(150):
            answer = session.post(f"{besieged.url}/predict", files={"file": mutated()}, timeout=60)
            assert answer.status_code in (200, 422), answer.text


def test_of_several_images_the_bad_one_is_named(besieged, picture):
    good, bad = picture("red"), picture("red", kind="JPEG")[:-400]
    for at in (0, 2):
        images = [good] * 3
        images[at] = bad
        answer = besieged.post(files=[("files", image) for image in images])
        assert answer.status == 422
        assert f"image {at}: truncated" in answer.content["error"]


GET = b"GET /healthz HTTP/1.1\r\nhost: x\r\n"
POST = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
BAD_CONNECTIONS = {
    "both lengths": (POST + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" + GET, [400]),
    "two lengths": (POST + b"content-length: 1\r\ncontent-length: 2\r\n\r\n{}", [400]),
    "no length": (POST + b"content-length: -1\r\n\r\n", [400]),
    "an endless length": (POST + b"content-length: 99999999999999999999999\r\n\r\n", [400]),
    "another transfer": (POST + b"transfer-encoding: chunked, x\r\n\r\n", [400]),
    "no chunk": (POST + b"transfer-encoding: chunked\r\n\r\nzz\r\n", [400]),
    "a folded header": (b"GET / HTTP/1.1\r\nhost: x\r\na: b\r\n c\r\n\r\nx", [400]),
    "a blank before the colon": (b"GET / HTTP/1.1\r\nhost : x\r\n\r\n", [400]),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", [400]),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]),
    "a tunnel": (b"CONNECT example.com:443 HTTP/1.1\r\nhost: x\r\n\r\n", [400]),
    "a shorter length": (POST + b"content-length: 1\r\n\r\n{}garbage\r\n\r\n", [400]),
    "many headers": (GET + b"a: b\r\n" * 20_000, [431]),
    "a long header": (GET + b"a: " + b"b" * 500_000, [431]),
    "a long path": (b"GET /" + b"a" * 500_000 + b" HTTP/1.1\r\n\r\n", [431]),
    "many pipelined": ((POST + b"content-length: 1\r\n\r\n1") * 400, None),
}


@pytest.mark.parametrize("name", BAD_CONNECTIONS)
def test_bad_connections_end(besieged, name):
    sent, expected = BAD_CONNECTIONS[name]
    answered = statuses(talk(besieged, sent))
    assert answered == expected if expected else set(answered) <= {400, 429}


def test_pipelined_requests_are_answered_in_order(besieged):
    end = GET + b"connection: close\r\n\r\n"
    assert statuses(talk(besieged, GET + b"\r\n" + b"GET /no HTTP/1.1\r\n\r\n" + end)) == [200, 404, 200]


def test_slow_headers_end_the_connection(besieged):
    started = time.monotonic()
    assert statuses(talk(besieged, GET)) == [408]
    assert talk(besieged, b"\r\n") == b""  # not even a first byte
    with socket.create_connection(address(besieged), timeout=60) as client:
        client.sendall(GET + b"\r\n")
        answer = b""
        while b"alive" not in answer:
            answer += client.recv(65536)
        client.sendall(b"\r\n")  # nor a second request's
        assert client.recv(65536) == b""
    assert time.monotonic() - started < 30

    def drip(client):
        for byte in POST:
            client.sendall(bytes([byte]))
            time.sleep(0.2)

    with socket.create_connection(address(besieged), timeout=60) as client, pytest.raises(ConnectionError):
        drip(client)


@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_that_nobody_wants_is_not_read_for_ever(besieged, chunked):
    length = b"transfer-encoding: chunked\r\n\r\n" if chunked else b"content-length: 900000000\r\n\r\n"
    part = b"10000\r\n" + bytes(0x10000) + b"\r\n" if chunked else bytes(0x10000)
    with socket.create_connection(address(besieged), timeout=60) as client:
        client.sendall(b"POST /nothing HTTP/1.1\r\nhost: x\r\n" + length)
        with pytest.raises(ConnectionError):
            for _ in range(3000):
                client.sendall(part)
                time.sleep(0.01)


@pytest.mark.parametrize(
    "path",
    [
        *("/../__main__.py", "/..%2f__main__.py", "/%2e%2e/%2e%2e/settings.py", "//etc/passwd"),
        *("/..\\..\\app.py", "/docs/../app.py", "/docs/..%2f..%2fapp.py", "/%00", "/index.html%00.js"),
        "/" + "a/" * 2000,
    ],
)
def test_no_path_leads_outside_the_page(besieged, path):
    answer = talk(besieged, f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
    assert statuses(answer)[0] in (404, 405)
    assert b"import" not in answer


def test_who_left_is_not_computed_for(besieged, picture):
    image = picture("red", (3000, 2000), kind="JPEG")
    body = b'--x\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\n' + image + b"\r\n"
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=x\r\n"
    request = head + f"content-length: {len(body) + 7}\r\n\r\n".encode() + body + b"--x--\r\n"
    for _ in range(30):
        with socket.create_connection(address(besieged), timeout=60) as client:
            client.sendall(request)
    left = {'{door="/predict",status="499"}', "chrysalis_queue_images 0.0", "chrysalis_buffered_bytes 0.0"}
    deadline = time.monotonic() + 60
    while not all(line in besieged.get("/metrics").content for line in left):
        assert time.monotonic() < deadline


def test_five_hundred_at_once_of_whom_half_mean_harm(besieged, picture):
    image = picture("red", kind="JPEG")
    wanted = threading.Event()

    def harm(index):
        with contextlib.suppress(OSError), socket.create_connection(address(besieged), timeout=60) as client:
            match index % 5:
                case 0:
                    pass  # idles
                case 1:
                    client.sendall(GET)
                case 2:
                    client.sendall(POST + b"content-length: 100000\r\n\r\n" + bytes(5000))
                case 3:
                    client.sendall(random.Random(index).randbytes(2000))
                case 4:
                    client.sendall(POST + b"content-length: 100000\r\n\r\n" + bytes(50_000))
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return  # with a reset
            wanted.wait(60)

    def ask(_):
        return besieged.post(files={"file": image})

    with ThreadPoolExecutor(250) as harmful, ThreadPoolExecutor(250) as wellformed:
        harming = [harmful.submit(harm, index) for index in range(250)]
        answers = list(wellformed.map(ask, range(250)))
        wanted.set()
        for future in harming:
            future.result()
    assert {answer.status for answer in answers} <= {200, 503}
    assert all("retry-after" in answer.headers for answer in answers if answer.status == 503)
    assert sum(answer.status == 200 for answer in answers) >= 10


def test_beyond_the_most_connections_one_hears_so(run_server, tiny_bundle):
    server = run_server("--model", str(tiny_bundle), CHRYSALIS_MAX_CONNECTIONS="20", **SHORT)
    server.wait_until_ready()
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(socket.create_connection(address(server), timeout=60)).sendall(GET)
        answer = talk(server, GET + b"\r\n")
        assert statuses(answer) == [503]
        assert b"retry-after: 1" in answer
    server.wait_until_ready()
