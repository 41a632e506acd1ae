"""The HTTP side: records each request, reads its body, and writes the answer as Google does."""

import json
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute

from rehearsal.vertex_ai import bodies
from rehearsal.vertex_ai.errors import RefusedError
from rehearsal.vertex_ai.recording import Recorded
from rehearsal.vertex_ai.routes import Call, Route

Admit = Callable[[Recorded, Route | None], None]
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def application(routes: list[Route], admit: Admit, record: Callable[[Recorded], None]) -> Starlette:
    """Make an ASGI application.

    Args:
        routes: who answers what; the first that fits.
        admit: raises RefusedError for a request that nobody shall answer.
        record: takes each request as it comes.
    """
    found = [
        StarletteRoute(route.path, _endpoint(route, admit, record), methods=[route.method])
        for route in routes
    ]
    rest = StarletteRoute("/{path:path}", _endpoint(None, admit, record), methods=METHODS)
    return Starlette(routes=[*found, rest])


def _endpoint(route: Route | None, admit: Admit, record: Callable[[Recorded], None]) -> Any:
    async def endpoint(request: Request) -> Response:
        body = await request.body()
        heard = _recorded(request, body)
        record(heard)
        try:
            content = await run_in_threadpool(_answer, route, admit, heard, request, body)
        except RefusedError as error:
            return Response(json.dumps(error.document()), error.code, media_type="application/json")
        return Response(content, media_type="application/json")

    return endpoint


def _answer(route: Route | None, admit: Admit, heard: Recorded, request: Request, body: bytes) -> bytes:
    admit(heard, route)
    if route is None:
        raise RefusedError(404, f"Method not found: {heard.method} {heard.path}")
    message = None
    if route.kind is not None:
        message = bodies.parse(body, route.kind)
        heard.message = bodies.copy(message)
    answer = route.handler(Call(request.path_params, heard.query, message, body))
    if isinstance(answer, bytes):
        return answer
    return bodies.answer(answer, enums_as_numbers="enum-encoding=int" in heard.query.get("$alt", ""))


def _recorded(request: Request, body: bytes) -> Recorded:
    text = body.decode("utf-8", "replace")
    try:
        document = json.loads(text) if text else None
    except ValueError:
        document = text
    return Recorded(
        method=request.method,
        path=request.url.path,
        query=dict(request.query_params),
        headers=dict(request.headers),
        body=document,
        text=text,
    )
