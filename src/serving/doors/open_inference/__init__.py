"""The Open Inference Protocol V2 over HTTP, with Triton's extensions for binary tensors and classification.

`POST /v2/models/NAME[/versions/V]/infer` takes one input, `image_bytes` (BYTES [n]) or `pixels` (UINT8
[n, size, size, 3]), and answers `probabilities` (FP32 [n, classes]) and `class_names` (BYTES [n, classes]),
or those of them that it asks for, in its order. In JSON an image is base64; as binary data it is itself.
"""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serving.body import read_body
from serving.doors.named import find_model
from serving.doors.open_inference.binary import HEADER_LENGTH, RAW, raw_request, split_body
from serving.doors.open_inference.inputs import read_images
from serving.doors.open_inference.metadata import describe_model, describe_server
from serving.doors.open_inference.outputs import answer, read_outputs
from serving.doors.tensors import classify
from serving.errors import MalformedError
from serving.service import Service

MODEL: Final = "/v2/models/{name}"
MODELS: Final = (MODEL, MODEL + "/versions/{version}")


def make_open_inference_doors(service: Service) -> list[Route]:
    """Lay every path under `/v2`."""

    async def server(_: Request) -> Response:
        return JSONResponse(describe_server())

    async def live(_: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(_: Request) -> Response:
        return JSONResponse({"ready": bool(service.model)})

    async def model_ready(request: Request) -> Response:
        return JSONResponse({"name": find_model(request, service).name, "ready": True})

    async def metadata(request: Request) -> Response:
        return JSONResponse(describe_model(find_model(request, service)))

    async def infer(request: Request) -> Response:
        model = find_model(request, service)
        service.require_room()
        header_length = request.headers.get(HEADER_LENGTH)
        body = await read_body(request, service.settings)
        message = raw_request(body) if header_length == RAW else split_body(body, header_length)
        outputs = read_outputs(message.document)
        request_id = read_id(message.document)
        images = read_images(message, model, service)
        return answer(await classify(service, images), outputs, request_id)

    return [
        Route("/v2", server),
        Route("/v2/health/live", live),
        Route("/v2/health/ready", ready),
        *(Route(model, metadata) for model in MODELS),
        *(Route(f"{model}/ready", model_ready) for model in MODELS),
        *(Route(f"{model}/infer", infer, methods=["POST"]) for model in MODELS),
    ]


def read_id(document: dict[str, Any]) -> str | None:
    """The request's own identifier, which its answer repeats.

    Raises:
        MalformedError: it is no string.
    """
    request_id = document.get("id")
    if not isinstance(request_id, str | None):
        raise MalformedError(f"expected id as a string, got {type(request_id).__name__}")
    return request_id
