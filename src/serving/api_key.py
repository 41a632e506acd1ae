"""The key that requests must bring, where one is set: `X-API-Key: KEY`, or `Authorization: Bearer KEY`."""

import hmac
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from contracts.errors import InputError
from serving.errors import UnauthorizedError
from serving.settings import Settings, variable

OPEN: Final = frozenset({"/healthz", "/readyz", "/v2/health/live", "/v2/health/ready", "/openapi.json"})
"""Probes bring no key, and the API's description is no secret; beside these Vertex AI's health route, what
is below /docs, and whatever is no door: the page's own files."""


def require_key(routes: Iterable[Route], settings: Settings) -> list[Route]:
    """Put the key before all routes that aren't open, if there is one.

    Raises:
        InputError: the file that should hold it can't be read, or is empty.
    """
    routes, key = list(routes), read_key(settings)
    if key is not None:
        for route in routes:
            if not _is_open(route.path, settings):
                route.app = RequireKey(route.app, key)
    return routes


def read_key(settings: Settings) -> bytes | None:
    """The key, of the settings, or of the file or the secret that they name.

    Raises:
        InputError: the file or the secret can't be read, or the key is empty.
        StageError: Secret Manager doesn't answer.
    """
    if settings.api_key is not None:
        key = settings.api_key.get_secret_value().encode("utf-8", "surrogateescape")  # as the environment is
    elif settings.api_key_file is not None:
        key = _read_file(settings.api_key_file)
    elif settings.api_key_secret_version is not None:
        from contracts.secrets import secret_version  # only then: every server starts with this module

        key = (
            secret_version(settings.api_key_secret_version, variable("api_key_secret_version")) or ""
        ).encode()
    else:
        return None
    key = key.strip()  # as a header's value is
    if not key:
        raise InputError("the API key is empty: set CHRYSALIS_API_KEY to one, or unset it for none")
    return key


class RequireKey:
    """ASGI middleware of a door: 401 to requests without the key."""

    def __init__(self, app: ASGIApp, key: bytes) -> None:
        self.app = app
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, if it brings the key."""
        given = _given(Headers(scope=scope))
        if given is None:
            raise UnauthorizedError("expected the key, as X-API-Key: KEY or as Authorization: Bearer KEY")
        if not hmac.compare_digest(given, self._key):  # in a time that tells nothing of the key
            raise UnauthorizedError("the key isn't this server's")
        await self.app(scope, receive, send)


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"CHRYSALIS_API_KEY_FILE names {path}, which can't be read ({error.strerror}): "
            "mount the key there, or unset it"
        ) from None


def _given(headers: Headers) -> bytes | None:
    if "x-api-key" in headers:
        return headers["x-api-key"].encode("latin-1")  # the bytes that were sent
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip().encode("latin-1") if scheme.lower() == "bearer" else None


def _is_open(path: str, settings: Settings) -> bool:
    return (
        path in OPEN or path == settings.vertex_health_route or path == "/docs" or path.startswith("/docs/")
    )
