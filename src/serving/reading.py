"""A request's body to images: multipart forms (the page, curl) and Vertex AI's JSON, within the limits.

Multipart: fields `file` or `files`, one or many, and `top_k`.
JSON: `{"instances": […], "parameters": {"top_k": 3}}`, an instance being `{"b64": "…"}` or the base64 itself.
"""

import base64
import json
from typing import Any, Final, NamedTuple

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.types import Message

from serving.errors import BodyTooLargeError, MalformedError, MediaTypeError, TooManyImagesError
from serving.settings import Settings

FILE_FIELDS: Final = ("file", "files")


class Asked(NamedTuple):
    """What a request wants to know."""

    images: list[bytes]
    """Encoded, in the order of the request."""
    top_k: int


class _InMemory(MultiPartParser):
    """The form parser without temporary files: bodies are bounded, and a disk may be read-only."""

    spool_max_size = 1 << 40


async def read_request(request: Request, settings: Settings) -> Asked:
    """Read the body in the form that its content type names.

    Raises:
        RequestError: it is too large, of another form, or holds too many images.
    """
    bounded = _bounded(request, settings.max_body_bytes)
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "multipart/form-data":
        asked = await _read_form(bounded, settings)
    elif content_type == "application/json" or content_type.endswith("+json"):
        asked = _read_json(await bounded.body(), settings)
    else:
        raise MediaTypeError(
            f"expected multipart/form-data with a field {FILE_FIELDS[0]}, or application/json with "
            f"instances, got {content_type or 'no content type'}"
        )
    if not asked.images:
        raise MalformedError("the request holds no image")
    if len(asked.images) > settings.max_images:
        raise TooManyImagesError(
            f"at most {settings.max_images} images a request, got {len(asked.images)}: send them in parts"
        )
    return asked


def _bounded(request: Request, limit: int) -> Request:
    """The request, with a body that ends in BodyTooLargeError at `limit` bytes, announced or not."""
    seen = 0

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


async def _read_form(request: Request, settings: Settings) -> Asked:
    try:
        form = await _InMemory(request.headers, request.stream()).parse()
    except MultiPartException as error:
        raise MalformedError(f"the multipart body can't be read: {error.message}") from None
    try:
        return Asked(await _files(form), _top_k(form.get("top_k"), settings))
    finally:
        await form.close()


async def _files(form: FormData) -> list[bytes]:
    uploads = [value for name, value in form.multi_items() if name in FILE_FIELDS]
    for upload in uploads:
        if not isinstance(upload, UploadFile):
            raise MalformedError("the field file holds text: send it as a file, with a filename")
    return [await upload.read() for upload in uploads if isinstance(upload, UploadFile)]


def _read_json(body: bytes, settings: Settings) -> Asked:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"the body is no JSON: {error}") from None
    instances = document.get("instances") if isinstance(document, dict) else None
    if not isinstance(instances, list):
        raise MalformedError('expected {"instances": [{"b64": "…"}], "parameters": {"top_k": 3}}')
    parameters = document.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise MalformedError(f"expected an object of parameters, got {type(parameters).__name__}")
    images = [_decode(index, instance) for index, instance in enumerate(instances)]
    return Asked(images, _top_k(parameters.get("top_k"), settings))


def _decode(index: int, instance: Any) -> bytes:
    text = instance.get("b64") if isinstance(instance, dict) else instance
    if not isinstance(text, str):
        raise MalformedError(f'instance {index}: expected {{"b64": "…"}} or a string in base64')
    try:
        return base64.b64decode("".join(text.split()), validate=True)  # `base64` breaks its lines
    except ValueError as error:
        raise MalformedError(f"instance {index} isn't valid base64: {error}") from None


def _top_k(value: Any, settings: Settings) -> int:
    """The number asked for; JSON gives it as a number (Vertex AI's protobufs as 3.0), a form as text."""
    if value is None or value == "":
        return settings.top_k
    try:
        top_k = 0 if isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        top_k = 0
    if top_k < 1 or (isinstance(value, float) and value != top_k):
        raise MalformedError(f"expected top_k as a whole number from 1, got {str(value)[:40]!r}")
    return top_k
