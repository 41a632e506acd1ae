"""What watches over the server asks: whether it lives, whether it is ready, and what it serves."""

from typing import Any

from fastapi import APIRouter

from serving.doors.answers import describe_model
from serving.service import Service


def make_health_doors(service: Service) -> APIRouter:
    """Lay `/healthz`, `/readyz`, Vertex AI's health route, and `/model`."""
    doors = APIRouter()

    def ready() -> dict[str, str]:
        return {"status": "ready", "model": service.model.name}

    def alive() -> dict[str, str]:
        return {"status": "alive"}

    def model() -> dict[str, Any]:
        return describe_model(service.model)

    # Vertex AI's first: its routes may have the names of others, and must mean what Vertex AI expects.
    for path, tell in (
        (service.settings.vertex_health_route, ready),
        ("/healthz", alive),
        ("/readyz", ready),
        ("/model", model),
    ):
        doors.add_api_route(path, tell, methods=["GET", "HEAD"])  # many probes ask by HEAD
    return doors
