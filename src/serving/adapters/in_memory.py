"""The application for synchronous callers: a request in, its answer out, from any thread."""

import asyncio
import threading
from collections.abc import Coroutine, Iterable
from typing import Any, NamedTuple, TypeVar

from starlette.types import Message

from serving.adapters.ready import ready_app
from serving.settings import Settings

T = TypeVar("T")


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class InMemory:
    """The application with its model loaded, in an event loop with a thread of its own."""

    def __init__(self, settings: Settings) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="app", daemon=True).start()
        self._app = self._run(ready_app(settings))

    def ask(self, method: str, path: str, headers: Iterable[tuple[str, str]], body: bytes) -> Answer:
        """Ask as over HTTP; wait for the answer."""
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
            "client": None,
            "server": None,
        }
        return self._run(self._ask(scope, body))

    async def _ask(self, scope: dict[str, Any], body: bytes) -> Answer:
        requests = iter([{"type": "http.request", "body": body, "more_body": False}])
        answers: list[Message] = []

        async def receive() -> Message:
            if message := next(requests, None):
                return message
            return await asyncio.Future()  # nobody hangs up

        async def send(message: Message) -> None:
            answers.append(message)

        await self._app(scope, receive, send)
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in answers[0]["headers"]]
        return Answer(
            answers[0]["status"], headers, b"".join(message.get("body", b"") for message in answers[1:])
        )

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
