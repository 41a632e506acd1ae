"""The server's end, which nothing may hold up."""

import subprocess
import sys

PROGRAM = """
import asyncio, signal, socket, sys, threading, time
import httpx, uvicorn
from concurrent.futures import ThreadPoolExecutor
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from serving.deadline import Deadline
from serving.server import Server

signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn hands it on
pool = ThreadPoolExecutor(1)

async def slow(request):
    threading.Timer(0.2, signal.raise_signal, [signal.SIGTERM]).start()
    await asyncio.get_running_loop().run_in_executor(pool, time.sleep, 600)

app = Deadline(Starlette(routes=[Route("/", slow)]), 600)
server = Server(uvicorn.Config(app, timeout_graceful_shutdown=1, log_config=None))
with socket.create_server(("127.0.0.1", 0)) as listener:
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    client = threading.Thread(target=lambda: print(httpx.get(url, timeout=60).status_code, flush=True))
    client.start()
    server.run(sockets=[listener])
"""


def test_it_ends_though_a_thread_does_not():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "503\n"
    assert done.returncode == 0
