"""Forms are read as UTF-8, whatever their client says."""

import asyncio
from collections.abc import Iterator

import pytest
from starlette.requests import Request
from starlette.types import Message

from serving.doors.forms import Form, read_form
from serving.settings import Settings

BODY = (
    '--b\r\nContent-Disposition: form-data; name="tulp\u00e9"\r\n\r\n\u00fc\r\n'
    '--b\r\nContent-Disposition: form-data; name="file"; filename="\u00e9.png"\r\n\r\nimage\r\n--b--\r\n'
).encode()


@pytest.mark.parametrize("charset", ["utf-8", "punycode", "undefined", "utf-16", "nonsense"])
def test_a_client_doesnt_choose_the_charset(charset: str) -> None:
    assert _read(f"multipart/form-data; boundary=b; charset={charset}") == Form(
        [b"image"], {"tulp\u00e9": "\u00fc"}
    )


def _read(content_type: str) -> Form:
    messages: Iterator[Message] = iter([{"type": "http.request", "body": BODY, "more_body": False}])

    async def receive() -> Message:
        return next(messages)

    headers = [(b"content-type", content_type.encode())]
    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": headers}
    return asyncio.run(read_form(Request(scope, receive), Settings(model="unused")))
