"""`POST /reload`: put the model in service that `--model` leads to by now. No body.

200 `{"status": "reloaded", "model": {"name", "version"}}`, or `"unchanged"` where it is in service already;
202 `"loading"`, with the model in service, where it takes longer than `WAIT_S`; 409 where it can't be loaded.
"""

import asyncio
from ipaddress import ip_address
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serving.errors import ForbiddenError
from serving.service import Service
from serving.settings import Settings

WAIT_S: Final = 5
"""Less than the server takes to end, so that whoever asked hears something."""

PASSED_ON: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
"""By which proxies tell that somebody else asks."""


def make_reload_doors(service: Service) -> list[Route]:
    """Lay `/reload`."""

    async def reload(request: Request) -> Response:
        require_right(request, service.settings)
        served = service.model
        try:
            async with asyncio.timeout(WAIT_S):
                served, changed = await service.loading.reload()
        except TimeoutError:
            status, code = "loading", 202
        else:
            status, code = "reloaded" if changed else "unchanged", 200
        model = {"name": served.name, "version": served.version}
        return JSONResponse({"status": status, "model": model}, code)

    return [Route("/reload", reload, methods=["POST"])]


def require_right(request: Request, settings: Settings) -> None:
    """Refuse who may not reload: with an API key whoever lacks it, without one all but this machine.

    The key itself is asked of every request before it comes here. A request of this machine comes from a
    loopback address, through no proxy, and not from a page of another site in somebody's browser.

    Raises:
        ForbiddenError: it isn't for this client.
    """
    if settings.api_key or settings.api_key_file or settings.api_key_secret_version:
        return
    local = request.client is None or _is_loopback(request.client.host)  # None: a Unix socket
    if local and "origin" in request.headers:
        raise ForbiddenError("without an API key no browser's page may reload: use curl, or send SIGHUP")
    if not local or any(name in request.headers for name in PASSED_ON):
        raise ForbiddenError(
            "without an API key only this machine may reload: set CHRYSALIS_API_KEY, or send SIGHUP"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a test client's name
        return False
