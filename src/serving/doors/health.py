"""What watches over the server asks: whether it lives, whether it is ready, and what it serves."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serving.doors.answers import describe_model
from serving.service import Service


def make_health_doors(service: Service) -> list[Route]:
    """Lay `/healthz`, `/readyz`, Vertex AI's health route, and `/model`."""

    def ready() -> dict[str, str]:
        return {"status": "ready", "model": service.model.name}

    def alive() -> dict[str, str]:
        return {"status": "alive"}

    def model() -> dict[str, Any]:
        return describe_model(service.model, service.settings)

    # Vertex AI's first: its routes may have the names of others, and must mean what Vertex AI expects.
    return [
        _tell(service.settings.vertex_health_route, ready),
        _tell("/healthz", alive),
        _tell("/readyz", ready),
        _tell("/model", model),
    ]


def _tell(path: str, what: Callable[[], dict[str, Any]]) -> Route:
    async def answer(_: Request) -> Response:
        return JSONResponse(what())

    return Route(path, answer)  # GET, and HEAD, by which many probes ask
