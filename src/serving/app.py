"""The server as an ASGI application: its doors, the page, the limits and the statuses of its errors.

Starlette alone, and not FastAPI over it: the doors read their bodies themselves, bounded, and what they
take and answer stands in one document. FastAPI would add nothing but memory and time to start.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from serving.api_key import require_key
from serving.doors import make_doors
from serving.errors import HANDLERS
from serving.exchange import current
from serving.loading import Loading
from serving.middleware import make_middleware
from serving.service import Service
from serving.settings import Settings

PAGE: Final = Path(__file__).with_name("page")


class Page(StaticFiles):
    """The page's files, counted as one door."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Give a file; HTTPException: there is none."""
        response = await super().get_response(path, scope)
        current().door = "page"
        return response


def create_app(settings: Settings, loading: Loading | None = None) -> Starlette:
    """Make the application; the model begins to load when its lifespan does.

    Args:
        settings: which model, which routes, which limits.
        loading: for whoever wants to hear of a failure.
    """
    loading = loading or Loading(settings)
    service = Service(settings, loading)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        loading.start()
        yield
        await loading.stop()

    app = Starlette(
        routes=require_key(make_doors(service), settings),
        middleware=make_middleware(settings, service.metrics),
        exception_handlers=dict(HANDLERS),
        lifespan=lifespan,
    )
    app.state.metrics = service.metrics  # for what refuses before there is a request
    app.router.redirect_slashes = False  # to whatever host the request names, before a key is asked for
    # Not mounted at /, which would take a door's path with another method too: 404 for 405.
    app.router.default = Page(directory=PAGE, html=True)
    return app
