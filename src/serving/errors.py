"""What can be wrong with a request, one exception for each meaning, and the one table of their statuses.

Every error's body is `{"error": "…"}`; the message says what was expected, what came and what to do.
"""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response


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


class QueueFullError(RequestError):
    """More images wait than would be answered in reasonable time."""


class NotReadyError(RequestError):
    """The model isn't loaded yet."""


class StoppingError(RequestError):
    """The server ends before it could answer."""


STATUS: Mapping[type[RequestError], int] = MappingProxyType(
    {
        MalformedError: 400,
        NotFoundHereError: 404,
        BodyTooLargeError: 413,
        TooManyImagesError: 413,
        TooManyPixelsError: 413,
        MediaTypeError: 415,
        BadImageError: 422,
        QueueFullError: 503,
        NotReadyError: 503,
        StoppingError: 503,
    }
)

RETRY_AFTER_S = 1
"""What a 503 asks a client to wait; a full queue is worked off in about that time."""


def error_response(error: RequestError) -> Response:
    """The answer to a request that failed with `error`."""
    status = STATUS[type(error)]
    headers = {"retry-after": str(RETRY_AFTER_S)} if status == 503 else None
    return JSONResponse({"error": str(error)}, status, headers)


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


async def _unforeseen(_: Request, __: Exception) -> Response:
    # The server's log gets the traceback (uvicorn); the client nothing of it.
    return JSONResponse({"error": "the server failed at this request; its log says why"}, 500)


HANDLERS: Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]] = MappingProxyType(
    {
        RequestError: _request_error,
        HTTPException: _http_exception,
        ClientDisconnect: _gone,
        Exception: _unforeseen,
    }
)
"""Of an application: every failure becomes an answer with `{"error": "…"}`."""
