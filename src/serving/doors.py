"""The doors: what each path takes and answers.

`POST /predict` and Vertex AI's predict route are one door, which takes multipart forms and JSON alike (see
`reading`) and answers `{"predictions": […]}`, one for each image in its order:
`{"class": "7", "probability": 0.98, "top": [{"class": "7", "probability": 0.98}, …]}`.
"""

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from contracts.bundle import ModelBundle
from serving.errors import StoppingError
from serving.loading import Loading
from serving.pixels import require_few_pixels
from serving.predictor import Predictor, Ranked
from serving.reading import read_request
from serving.settings import Settings


def make_doors(settings: Settings, loading: Loading) -> APIRouter:
    """Lay the routes of a server."""
    doors = APIRouter()

    async def predict(request: Request) -> Response:
        lane = loading.lane
        lane.require_room()  # a body that couldn't be answered isn't read
        try:
            asked = await read_request(request, settings)
            require_few_pixels(asked.images, settings.max_request_pixels)
            predictions = await lane.predict(asked.images, asked.top_k)
        except asyncio.CancelledError:  # the server stops, and its time of grace is over
            raise StoppingError("the server is stopping: send the request again") from None
        return JSONResponse({"predictions": [describe(best) for best in predictions]})

    def ready() -> dict[str, str]:
        return {"status": "ready", "model": loading.lane.predictor.bundle.name}

    def alive() -> dict[str, str]:
        return {"status": "alive"}

    def model() -> dict[str, Any]:
        return describe_model(loading.lane.predictor)

    # Vertex AI's first: its routes may have the names of others, and must mean what Vertex AI expects.
    for path, tell in (
        (settings.vertex_health_route, ready),
        ("/healthz", alive),
        ("/readyz", ready),
        ("/model", model),
    ):
        doors.add_api_route(path, tell, methods=["GET", "HEAD"])  # many probes ask by HEAD
    for path in sorted({settings.vertex_predict_route, "/predict"}):
        doors.add_api_route(path, predict, methods=["POST"])
    return doors


def describe(best: list[Ranked]) -> dict[str, Any]:
    """A prediction as JSON: the best class, and the `top` of all that were asked for."""
    top = [{"class": name, "probability": probability} for name, probability in best]
    return {**top[0], "top": top}


def describe_model(predictor: Predictor) -> dict[str, Any]:
    """What a visitor may want to know of the model."""
    bundle: ModelBundle = predictor.bundle
    return {
        "name": bundle.name,
        "version": f"{bundle.created_at:%Y-%m-%d %H:%M}",
        "architecture": bundle.architecture,
        "dataset": bundle.dataset,
        "image_size": bundle.image.size,
        "runtime": str(predictor.runtime.name),
        "metrics": bundle.metrics,
        "class_names": bundle.class_names,
    }
