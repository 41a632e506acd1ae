"""`POST /get-prediction`: the classes of images that lie in a bucket.

`{"bucket": "photos", "filename": "a/1.jpg"}`, or `"filenames": […]` for several; `top_k` and `threshold`
may stand beside them. The answer is that of `/predict`, in the order of the names.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serving.body import read_json
from serving.buckets import Buckets
from serving.buffers import held_by
from serving.doors.answers import describe_answer
from serving.doors.parameters import Parameters
from serving.errors import MalformedError
from serving.places import Place
from serving.service import Service


def make_get_prediction_doors(service: Service, buckets: Buckets) -> list[Route]:
    """Lay `/get-prediction`."""

    async def get_prediction(request: Request) -> Response:
        service.require_room()
        document = await read_json(request, service.settings)
        places = read_places(document)
        service.require_few(len(places))
        parameters = Parameters.read(document, service.settings)
        classified = await service.classify(await buckets.read(places, held_by(request)))
        return JSONResponse(describe_answer(classified, parameters))

    return [Route("/get-prediction", get_prediction, methods=["POST"])]


def read_places(document: Any) -> list[Place]:
    """Take the objects that a request names.

    Raises:
        MalformedError: it is another document.
    """
    if not isinstance(document, dict) or ("filename" in document) == ("filenames" in document):
        raise MalformedError('expected {"bucket": "…", "filename": "…"}, or "filenames": ["…"] for several')
    bucket = document.get("bucket")
    if "filename" in document:
        if isinstance(document["filename"], list):
            raise MalformedError('expected filename as one name: several are "filenames": ["…"]')
        return [Place.of(bucket, document["filename"], "filename")]
    names = document["filenames"]
    if not isinstance(names, list):
        raise MalformedError(f"expected filenames as a list of names, got {type(names).__name__}")
    return [Place.of(bucket, name, f"filenames[{index}]") for index, name in enumerate(names)]
