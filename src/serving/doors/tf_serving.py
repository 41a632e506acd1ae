"""TensorFlow Serving's REST API, as if it served the bundle's SavedModel.

`POST /v1/models/NAME[/versions/V|/labels/stable]:predict` takes JSON of any content type, rows or columns:

    {"instances": [{"b64": "…"}]}                {"predictions": [{"probabilities": […], "class_names": […]}]}
    {"inputs": {"image_bytes": [{"b64": "…"}]}}  {"outputs": {"probabilities": [[…]], "class_names": [[…]]}}

`"signature_name": "pixels"` takes `pixels` instead, uint8 RGB [size, size, 3] as lists. `GET` of the model
tells its status, and of `/metadata` below it its signatures.
"""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serving.body import decode_base64, read_json
from serving.doors.named import find_model
from serving.doors.signatures import DEFAULT, INPUTS, describe_signatures
from serving.doors.tensors import CLASS_NAMES, PIXELS, PROBABILITIES, Images, classify, flatten, read_pixels
from serving.errors import MalformedError
from serving.loading import Served
from serving.service import Classified, Service

MODEL: Final = "/v1/models/{name}"
MODELS: Final = (MODEL, MODEL + "/versions/{version}", MODEL + "/labels/{label}")
ROWS, COLUMNS = "instances", "inputs"
"""The two forms of a request, of which it has one."""
OTHERS: Final = ("classify", "regress")
"""The methods of signatures that this project's models don't have."""


def make_tf_serving_doors(service: Service) -> list[Route]:
    """Lay every path under `/v1/models/NAME`."""

    async def predict(request: Request) -> Response:
        model = find_model(request, service)
        service.require_room()
        document = await read_json(request, service.settings)
        form, images = read_predict(document, model, service)
        return JSONResponse(describe(form, await classify(service, images)))

    async def refuse(request: Request) -> Response:
        find_model(request, service)
        method = request.url.path.rpartition(":")[2]
        raise MalformedError(f"no signature of this model is of the method {method}: ask it with :predict")

    async def status(request: Request) -> Response:
        return JSONResponse(describe_status(find_model(request, service)))

    async def metadata(request: Request) -> Response:
        return JSONResponse(describe_metadata(find_model(request, service)))

    return [
        *(Route(f"{model}:predict", predict, methods=["POST"]) for model in MODELS),
        *(Route(f"{model}:{method}", refuse, methods=["POST"]) for model in MODELS for method in OTHERS),
        *(Route(f"{model}/metadata", metadata) for model in MODELS),
        *(Route(model, status) for model in MODELS),
    ]


def read_predict(document: Any, model: Served, service: Service) -> tuple[str, Images]:
    """Read a request: its form, `ROWS` or `COLUMNS`, and its images.

    Raises:
        RequestError: it is none, or holds none or too many.
    """
    if not isinstance(document, dict) or (ROWS in document) == (COLUMNS in document):
        raise MalformedError(f'expected an object with either "{ROWS}" or "{COLUMNS}"')
    signature = document.get("signature_name", DEFAULT)
    signature = DEFAULT if signature == "" else signature
    if not isinstance(signature, str) or signature not in INPUTS:
        raise MalformedError(f"expected signature_name as one of {', '.join(INPUTS)}")
    form = ROWS if ROWS in document else COLUMNS
    read = _read_rows if form == ROWS else _read_columns
    values = read(document[form], INPUTS[signature])
    service.require_few(len(values))
    if signature == PIXELS:
        side = model.bundle.image.size
        shape = (len(values), side, side, 3)
        return form, read_pixels(flatten(values, shape, form), shape, form)
    return form, [_decode(value, f"{form}, element {index}") for index, value in enumerate(values)]


def _read_rows(rows: Any, name: str) -> list[Any]:
    """The values of the input `name`: each row's, which has it by its name or, being the only one, alone."""
    if not isinstance(rows, list):
        raise MalformedError(f"expected {ROWS} as a list, got {type(rows).__name__}")
    return [row[name] if isinstance(row, dict) and row.keys() == {name} else row for row in rows]


def _read_columns(columns: Any, name: str) -> list[Any]:
    values = columns.get(name) if isinstance(columns, dict) else columns
    if not isinstance(values, list):
        raise MalformedError(f'expected {COLUMNS} as {{"{name}": […]}}, or as the list itself')
    return values


def _decode(value: Any, place: str) -> bytes:
    if not isinstance(value, dict) or value.keys() != {"b64"}:
        hint = f', or "signature_name": "{PIXELS}" for rows of pixels' if isinstance(value, list) else ""
        raise MalformedError(f'{place}: expected an image as {{"b64": "…"}}{hint}')
    return decode_base64(value["b64"], place)


def describe(form: str, classified: Classified) -> dict[str, Any]:
    """The answer to a request of the form."""
    names, probabilities = classified.bundle.class_names, classified.probabilities.tolist()
    if form == ROWS:
        return {"predictions": [{PROBABILITIES: row, CLASS_NAMES: names} for row in probabilities]}
    return {"outputs": {PROBABILITIES: probabilities, CLASS_NAMES: [names] * len(probabilities)}}


def describe_status(model: Served) -> dict[str, Any]:
    """The state of the model's one version."""
    fine = {"error_code": "OK", "error_message": ""}
    version = {"version": str(model.version), "state": "AVAILABLE", "status": fine}
    return {"model_version_status": [version]}


def describe_metadata(model: Served) -> dict[str, Any]:
    """The model's signatures."""
    spec = {"name": model.name, "signature_name": "", "version": str(model.version)}
    signatures = {"signature_def": describe_signatures(model.bundle)}
    return {"model_spec": spec, "metadata": {"signature_def": signatures}}
