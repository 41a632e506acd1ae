"""A request that can't be answered in time."""

import socket

from serving.settings import Settings


def test_a_late_request_is_told_to_come_again(tiny_bundle, serve, picture):
    with serve(Settings(model=str(tiny_bundle), request_timeout_s=0.3)) as server:
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=60) as client:
            client.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n")
            client.sendall(b"content-length: 10\r\n\r\n{")
            answer = client.recv(10_000)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: 1" in answer
            assert b"no answer in 0.3 s" in answer
        assert server.post(files={"file": picture("red")}).status == 200
