"""A request's body, within the limits: its bytes, its JSON, and the base64 in it."""

import base64
import json
from typing import Any

from starlette.requests import Request
from starlette.types import Message

from serving.errors import BodyTooLargeError, MalformedError
from serving.settings import Settings


def bounded(request: Request, settings: Settings) -> Request:
    """The request, with a body that ends in BodyTooLargeError at the limit, announced or not."""
    limit, seen = settings.max_body_bytes, 0

    def check(size: int) -> None:
        if size > limit:
            raise BodyTooLargeError(f"at most {limit} bytes a request: send fewer or smaller images")

    async def receive() -> Message:
        nonlocal seen
        message = await request.receive()
        seen += len(message.get("body", b""))
        check(seen)
        return message

    announced = request.headers.get("content-length", "")
    check(int(announced) if announced.isdecimal() else 0)
    return Request(request.scope, receive)


async def read_body(request: Request, settings: Settings) -> bytes:
    """Read the whole body.

    Raises:
        RequestError: it is too large.
    """
    return await bounded(request, settings).body()


async def read_json(request: Request, settings: Settings) -> Any:
    """Read the body as JSON, whatever content type it is sent with.

    Raises:
        RequestError: it is too large, or no JSON.
    """
    return parse_json(await read_body(request, settings))


def parse_json(body: bytes) -> Any:
    """Parse JSON.

    Raises:
        MalformedError: it is none.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"the body is no JSON: {error}") from None


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
