"""The application with its model in service, for whoever runs no ASGI server and has no lifespan."""

from starlette.applications import Starlette

from serving.app import create_app
from serving.loading import Loading
from serving.settings import Settings


async def ready_app(settings: Settings) -> Starlette:
    """Make the application in this event loop, and load its model.

    Raises:
        InputError: there is no such bundle, or it isn't blessed and must be.
        StageError: the model can't be loaded, or fails its golden replay.
    """
    loading = Loading(settings)
    app = create_app(settings, loading)
    await loading.reload()
    return app
