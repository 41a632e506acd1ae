"""The server as an ASGI application: its doors, the page, the limits and the statuses of its errors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from serving.doors import make_doors
from serving.errors import handle_errors
from serving.loading import Loading
from serving.security import SecurityHeaders
from serving.service import Service
from serving.settings import Settings

PAGE: Final = Path(__file__).with_name("page")


def create_app(settings: Settings, loading: Loading | None = None) -> FastAPI:
    """Make the application; the model begins to load when its lifespan does.

    Args:
        settings: which model, which routes, which limits.
        loading: for whoever wants to hear of a failure.
    """
    loading = loading or Loading(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        loading.start()
        yield
        loading.stop()

    # No /docs: FastAPI's page fetches its scripts from elsewhere, and the doors read their bodies themselves.
    app = FastAPI(title="Chrysalis", lifespan=lifespan, openapi_url=None)
    app.add_middleware(SecurityHeaders)
    handle_errors(app)
    app.include_router(make_doors(Service(settings, loading)))
    # Not mounted at /, which would take a door's path with another method too: 404 for 405.
    app.router.default = StaticFiles(directory=PAGE, html=True)
    return app
