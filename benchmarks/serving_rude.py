"""A client that breaks off: again and again a part of a request, or all of it, and then it is gone.

    python serving_rude.py PORT BODY CONTENT_TYPE SEED

It runs until it is killed, as it is meant to be. For every connection that it broke off, a byte on stdout.
"""

import contextlib
import os
import random
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Final

PAUSE_S: Final = 0.15
"""Between connections, on average: requests that come whole cost the server as much as any other."""
RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: closing drops what isn't sent, and tells the other side with a reset."""


def main() -> None:
    """Break off connections to the server that the arguments name."""
    port, body, content_type, seed = sys.argv[1:]
    draw = random.Random(int(seed))  # noqa: S311
    content = Path(body).read_bytes()
    head = f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
    request = f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content
    while True:
        with contextlib.suppress(ConnectionError):  # the server was quicker
            break_off(int(port), request, draw)
        os.write(sys.stdout.fileno(), b".")
        time.sleep(draw.expovariate(1 / PAUSE_S))


def break_off(port: int, request: bytes, draw: random.Random) -> None:
    """Connect, send some of the request at some pace, and leave in one of several ways."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        length = draw.choice((0, draw.randrange(200), draw.randrange(len(request)), len(request)))
        for start in range(0, length, step := draw.choice((1 << 10, 1 << 14, 1 << 20))):
            connection.sendall(request[start : min(start + step, length)])
            time.sleep(draw.choice((0, 0, 0.001)))
        time.sleep(draw.choice((0, 0, 0.01, 0.3)))
        if draw.random() < 0.5:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


if __name__ == "__main__":
    main()
