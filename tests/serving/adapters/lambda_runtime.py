"""Lambda's side of a function: a loopback runtime API, and events as its function URLs send them."""

import base64
import json
import queue
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple

NEXT = "/2018-06-01/runtime/invocation/next"


class Outcome(NamedTuple):
    """What the function posted: `response`, or `error`, of an invocation or of its init phase."""

    kind: str
    document: Any


class Runtime:
    """Hands out events, and takes what comes of them."""

    def __init__(self, loopback: Callable[..., str]) -> None:
        self._events: queue.Queue[Any] = queue.Queue()
        self._outcomes: queue.Queue[Outcome] = queue.Queue()
        self._invocations = 0
        self.address = loopback(self._answer).removeprefix("http://")

    def invoke(self, event: Any) -> Outcome:
        self._events.put(event)
        return self.outcome()

    def outcome(self) -> Outcome:
        return self._outcomes.get(timeout=60)

    def close(self) -> None:
        """Let the function's last question for an event end."""
        self._events.put({})

    def _answer(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
        if request.path == NEXT:
            self._invocations += 1
            headers = {
                "Lambda-Runtime-Aws-Request-Id": f"request-{self._invocations}",
                "Lambda-Runtime-Deadline-Ms": "9999999999999",
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:0:function:classify",
                "Content-Type": "application/json",
            }
            return 200, headers, json.dumps(self._events.get()).encode()
        self._outcomes.put(Outcome(request.path.rsplit("/", 1)[-1], json.loads(body)))
        return 202, {}, b"{}"


def http(method: str, path: str, body: bytes = b"", **headers: str) -> dict[str, Any]:
    """An event of a function URL."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "x.lambda-url.eu-west-1.on.aws", **headers},
        "requestContext": {"http": {"method": method, "path": path, "sourceIp": "203.0.113.7"}},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }
