"""`POST /predict`: multipart forms, or Vertex AI's JSON; and Vertex AI's own route, which is the same door.

Form: fields `file` or `files`, one or many, `top_k`, `threshold`.
JSON: `{"instances": […], "parameters": {"top_k": 3, "threshold": 0.5}}`, an instance being `{"b64": "…"}` or
the base64 itself. Both answer `{"predictions": […]}`, see `answers`.
"""

from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serving.body import decode_base64, read_json
from serving.doors.answers import describe
from serving.doors.forms import FILE_FIELDS, read_form
from serving.doors.parameters import Parameters
from serving.errors import MalformedError, MediaTypeError
from serving.service import Service
from serving.settings import Settings


class Asked(NamedTuple):
    """What a request wants to know."""

    images: list[bytes]
    parameters: Parameters


def make_predict_doors(service: Service) -> list[Route]:
    """Lay `/predict` and Vertex AI's route."""

    async def predict(request: Request) -> Response:
        service.require_room()  # a body that couldn't be answered isn't read
        asked = await _read(request, service.settings)
        classified = await service.classify(asked.images)
        return JSONResponse({"predictions": describe(classified, asked.parameters)})

    paths = dict.fromkeys([service.settings.vertex_predict_route, "/predict"])
    return [Route(path, predict, methods=["POST"]) for path in paths]


async def _read(request: Request, settings: Settings) -> Asked:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "multipart/form-data":
        form = await read_form(request, settings)
        return Asked(form.images, Parameters.read(form.fields, settings))
    if content_type == "application/json" or content_type.endswith("+json"):
        return read_instances(await read_json(request, settings), settings)
    raise MediaTypeError(
        f"expected multipart/form-data with a field {FILE_FIELDS[0]}, or application/json with "
        f"instances, got {content_type or 'no content type'}"
    )


def read_instances(document: Any, settings: Settings) -> Asked:
    """Vertex AI's request.

    Raises:
        MalformedError: it is another document.
    """
    instances = document.get("instances") if isinstance(document, dict) else None
    if not isinstance(instances, list):
        raise MalformedError('expected {"instances": [{"b64": "…"}], "parameters": {"top_k": 3}}')
    images = [
        decode_base64(instance.get("b64") if isinstance(instance, dict) else instance, f"instance {index}")
        for index, instance in enumerate(instances)
    ]
    return Asked(images, Parameters.read(document.get("parameters") or {}, settings))
