"""`POST /predict`: multipart forms, or Vertex AI's JSON; and Vertex AI's own route, which takes the same.

Form: fields `file` or `files`, one or many, `top_k`, `threshold`.
JSON: `{"instances": […], "parameters": {"top_k": 3, "threshold": 0.5}}`, an instance being `{"b64": "…"}`,
the base64 itself, or `{"gcs_uri": "gs://bucket/photo.jpg"}` of a bucket that is allowed here; its content
type may be missing, or curl's for `-d`.
Vertex AI's route answers `{"predictions": […]}`, see `answers`; `/predict` says by which `model`, too.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serving.body import decode_base64, read_json
from serving.buckets import Buckets
from serving.buffers import held_by
from serving.doors.answers import describe, describe_answer
from serving.doors.forms import FILE_FIELDS, read_form
from serving.doors.parameters import Parameters
from serving.errors import MalformedError, MediaTypeError
from serving.places import Place
from serving.service import Classified, Service
from serving.settings import Settings

FORM: Final = "multipart/form-data"
JSON: Final = ("application/json", "application/x-www-form-urlencoded", "")
"""What a document of JSON comes as; the second is what `curl -d` says of whatever it sends."""


class Asked(NamedTuple):
    """What a request wants to know."""

    images: Sequence[bytes | Place]
    parameters: Parameters


def make_predict_doors(service: Service, buckets: Buckets) -> list[Route]:
    """Lay Vertex AI's route and `/predict`; of the two with one path, Vertex AI's counts."""

    def door(path: str, tell: Callable[[Classified, Parameters], dict[str, Any]]) -> Route:
        async def predict(request: Request) -> Response:
            service.require_room()  # a body that couldn't be answered isn't read
            asked = await _read(request, service.settings)
            service.require_few(len(asked.images))
            classified = await service.classify(await buckets.read(asked.images, held_by(request)))
            return JSONResponse(tell(classified, asked.parameters))

        return Route(path, predict, methods=["POST"])

    return [
        door(service.settings.vertex_predict_route, lambda *answer: {"predictions": describe(*answer)}),
        door("/predict", describe_answer),
    ]


async def _read(request: Request, settings: Settings) -> Asked:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == FORM:
        form = await read_form(request, settings)
        return Asked(form.images, Parameters.read(form.fields, settings))
    if content_type in JSON or content_type.endswith("+json"):
        return read_instances(await read_json(request, settings), settings)
    raise MediaTypeError(
        f"expected the header Content-Type as {FORM}, with a field {FILE_FIELDS[0]}, or as "
        f"{JSON[0]}, with instances, got {content_type[:60]}"
    )


def read_instances(document: Any, settings: Settings) -> Asked:
    """Vertex AI's request.

    Raises:
        MalformedError: it is another document.
    """
    instances = document.get("instances") if isinstance(document, dict) else None
    if not isinstance(instances, list):
        raise MalformedError('expected {"instances": [{"b64": "…"}], "parameters": {"top_k": 3}}')
    images = [_read_instance(instance, f"instance {index}") for index, instance in enumerate(instances)]
    return Asked(images, Parameters.read(document.get("parameters") or {}, settings))


def _read_instance(instance: Any, called: str) -> bytes | Place:
    if not isinstance(instance, dict):
        return decode_base64(instance, called)
    if ("b64" in instance) == ("gcs_uri" in instance):
        raise MalformedError(f'{called}: expected either {{"b64": "…"}} or {{"gcs_uri": "gs://bucket/name"}}')
    if "gcs_uri" in instance:
        return Place.of_uri(instance["gcs_uri"], called)
    return decode_base64(instance["b64"], called)
