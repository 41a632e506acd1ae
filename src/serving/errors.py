"""What can be wrong with a request, one exception for each meaning, and the one table of their statuses.

Every error's body is `{"error": "…"}`; the message says what was expected, what came and what to do.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from serving.exchange import current


class RequestError(Exception):
    """The server works, but this request gets no prediction."""


class MalformedError(RequestError):
    """The body isn't of the form that the door takes."""


class NotFoundHereError(RequestError):
    """What the request names isn't there: a model, a version of it, a file."""


class MediaTypeError(RequestError):
    """The body's content type is none that the door takes."""


class BodyTooLargeError(RequestError):
    """The body has more bytes than the limit."""


class TooManyImagesError(RequestError):
    """The request holds more images than the limit."""


class TooManyPixelsError(RequestError):
    """The request's images hold more pixels together than the limit."""


class BadImageError(RequestError):
    """An image of the request can't be used: no image, truncated, too many pixels."""


class ForbiddenError(RequestError):
    """What the request names isn't for it: a bucket that isn't allowed here, or that doesn't open."""


class ObjectTooLargeError(RequestError):
    """An object that the request names has more bytes than the limit."""


class BucketUnreachableError(RequestError):
    """A bucket doesn't answer, or not in time."""


class QueueFullError(RequestError):
    """More images wait than would be answered in reasonable time."""


class NotReadyError(RequestError):
    """The model isn't loaded yet."""


class ReloadError(RequestError):
    """Another model was to be put in service, and can't be loaded."""


class StoppingError(RequestError):
    """The server ends before it could answer."""


class LateError(RequestError):
    """The answer would come later than the limit."""


class BuffersFullError(RequestError):
    """The bodies of all requests together have more bytes than the limit."""


class SlowBodyError(RequestError):
    """The body didn't come in time."""


class UnauthorizedError(RequestError):
    """The request brings no key, or another one."""


STATUS: Mapping[type[RequestError], int] = MappingProxyType(
    {
        MalformedError: 400,
        UnauthorizedError: 401,
        ForbiddenError: 403,
        NotFoundHereError: 404,
        SlowBodyError: 408,
        ReloadError: 409,
        BodyTooLargeError: 413,
        ObjectTooLargeError: 413,
        TooManyImagesError: 413,
        TooManyPixelsError: 413,
        MediaTypeError: 415,
        BadImageError: 422,
        BucketUnreachableError: 503,
        QueueFullError: 503,
        NotReadyError: 503,
        StoppingError: 503,
        LateError: 503,
        BuffersFullError: 503,
    }
)

HEADERS: Mapping[int, Mapping[str, str]] = MappingProxyType(
    {
        401: {"www-authenticate": "Bearer"},
        408: {"connection": "close"},  # what still comes of the body is no request
        503: {"retry-after": "1"},  # a full queue is worked off in about that time
    }
)
"""What an error's answer says in its headers, by its status."""


def error_response(error: RequestError) -> Response:
    """The answer to a request that failed with `error`."""
    status = STATUS[type(error)]
    # A message may quote half a surrogate pair, which JSON can name and UTF-8 can't hold.
    text = str(error).encode("utf-8", "replace").decode()
    exchange = current()
    words = re.findall("[A-Z][a-z]+", type(error).__name__.removesuffix("Error").removesuffix("Here"))
    exchange.error, exchange.reason = text, " ".join(words).lower()
    return JSONResponse({"error": text}, status, HEADERS.get(status))


async def _request_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)  # noqa: S101 - registered for it
    return error_response(error)


async def _http_exception(request: Request, error: Exception) -> Response:
    # Starlette's own: no such path, no such method, a multipart body that doesn't parse.
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    text = f"{error.detail}: {request.method} {request.url.path}"
    return JSONResponse({"error": text}, error.status_code, error.headers)


async def _gone(_: Request, __: Exception) -> Response:
    # In the midst of its body, which is its own affair: a line in the log of requests, no traceback.
    return Response(status_code=400)


HANDLERS: Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]] = MappingProxyType(
    {
        RequestError: _request_error,
        HTTPException: _http_exception,
        ClientDisconnect: _gone,
    }
)
"""Of an application: every failure becomes an answer with `{"error": "…"}`; of the unforeseen ones see
`exchange`."""
