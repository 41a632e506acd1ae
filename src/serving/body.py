"""A request's body, within the limits: its bytes, its JSON, and the base64 in it."""

import asyncio
import base64
import json
import re
import time
from typing import Any, Final

from starlette.requests import Request
from starlette.types import Message

from serving.errors import BodyTooLargeError, MalformedError, MediaTypeError, SlowBodyError
from serving.settings import Settings

MAX_JSON_VALUES: Final = 2_000_000
"""Of a document: an empty list takes 3 bytes of a body, and 64 of the memory."""

_LONE_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
"""How JSON may name half a character; most bodies have none, which is quickly seen."""


def bounded(request: Request, settings: Settings) -> Request:
    """The request, with a body that ends in an error at its limits.

    Its bytes are limited, announced or not; so is the time for all of it. It must not be compressed: that
    would be a way around both.

    Raises:
        RequestError: it is compressed, or announced as too large.
    """
    _require_plain(request)
    seen, until = 0, time.monotonic() + settings.body_timeout_s

    def check(size: int) -> None:
        if size > settings.max_body_bytes:
            raise BodyTooLargeError(
                f"at most {settings.max_body_bytes} bytes a request: send fewer or smaller images"
            )

    async def receive() -> Message:
        nonlocal seen
        try:
            async with asyncio.timeout(until - time.monotonic()):
                message = await request.receive()
        except TimeoutError:
            raise SlowBodyError(
                f"the body must come in {settings.body_timeout_s:g} s, and {seen} bytes of it came"
            ) from None
        seen += len(message.get("body", b""))
        check(seen)
        return message

    announced = request.headers.get("content-length", "")
    check(int(announced) if announced.isdecimal() else 0)
    return Request(request.scope, receive)


def _require_plain(request: Request) -> None:
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() not in ("", "identity"):
        raise MediaTypeError(f"the body is compressed ({encoding[:40]}): send it without Content-Encoding")


async def read_body(request: Request, settings: Settings) -> bytes:
    """Read the whole body.

    Raises:
        RequestError: it is too large, too slow, or compressed.
    """
    return await bounded(request, settings).body()


async def read_json(request: Request, settings: Settings) -> Any:
    """Read the body as JSON, whatever content type it is sent with.

    Raises:
        RequestError: it can't be read, holds too many values, or is no JSON.
    """
    return parse_json(await read_body(request, settings))


def parse_json(body: bytes) -> Any:
    """Parse a document of JSON.

    Raises:
        RequestError: it holds too many values, or is no JSON.
    """
    values = body.count(b",") + body.count(b"[") + body.count(b"{")
    if values > MAX_JSON_VALUES:
        raise BodyTooLargeError(
            f"at most {MAX_JSON_VALUES} values in a body of JSON: send images as files or as base64"
        )
    try:
        document = json.loads(body)
        if _LONE_SURROGATE.search(body):
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:  # UnicodeError is a ValueError
        raise MalformedError(f"the body is no JSON: {error}") from None
    return document


def decode_base64(text: Any, place: str) -> bytes:
    """Decode base64 of a JSON document, lines and blanks within it aside.

    Args:
        text: what stands there.
        place: where, such as `instance 3`, for the message.

    Raises:
        MalformedError: it is no base64.
    """
    if not isinstance(text, str):
        raise MalformedError(f"{place}: expected a string in base64, got {type(text).__name__}")
    try:
        return base64.b64decode("".join(text.split()), validate=True)  # `base64` breaks its lines
    except ValueError as error:
        raise MalformedError(f"{place} isn't valid base64: {error}") from None
