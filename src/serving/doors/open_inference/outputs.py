"""The outputs of an inference: which the request wants, in which form, and the answer made of them.

The extension for classification gives an output's `k` highest values as BYTES [n, k]: `value:index:label`.
"""

import json
from collections.abc import Sequence
from reprlib import repr as shortened
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from starlette.responses import JSONResponse, Response

from serving.doors.open_inference.binary import HEADER_LENGTH, join_elements
from serving.doors.open_inference.parameters import read_flag, read_parameters
from serving.doors.tensors import CLASS_NAMES, PROBABILITIES
from serving.errors import MalformedError
from serving.service import Classified

NAMES: Final = (PROBABILITIES, CLASS_NAMES)
BYTES, FP32 = "BYTES", "FP32"


class Output(NamedTuple):
    """What a request wants of an output."""

    name: str
    binary: bool
    """Its values as bytes after the JSON."""
    top: int | None
    """Its highest values, so many, with their labels; None: all as they are."""


def read_outputs(document: dict[str, Any]) -> list[Output]:
    """Read which outputs a request wants; all, where it doesn't say.

    Raises:
        MalformedError: there is no such output, or it is asked for twice, or in a form that it can't have.
    """
    binary = read_flag(read_parameters(document, "the request"), "binary_data_output", False, "the request")
    wanted = document.get("outputs") or [{"name": name} for name in NAMES]
    if not (isinstance(wanted, list) and all(isinstance(output, dict) for output in wanted)):
        raise MalformedError('expected outputs as a list of {"name": …}')
    names = [output.get("name") for output in wanted]
    for index, name in enumerate(names):
        if name not in NAMES or name in names[:index]:
            raise MalformedError(
                f"expected as outputs {' and '.join(NAMES)}, each once, got {shortened(names)}"
            )
    return [_read_output(output, binary) for output in wanted]


def _read_output(wanted: dict[str, Any], binary: bool) -> Output:
    name = wanted["name"]
    parameters = read_parameters(wanted, name)
    top = parameters.get("classification")
    if top is not None and (type(top) is not int or top < 1):
        raise MalformedError(
            f"{name}: expected classification as a whole number from 1, got {shortened(top)}"
        )
    if top is not None and name != PROBABILITIES:
        raise MalformedError(f"{name} can't be classified: ask it of {PROBABILITIES}")
    return Output(name, read_flag(parameters, "binary_data", binary, name), top)


def answer(classified: Classified, outputs: Sequence[Output], request_id: str | None) -> Response:
    """Answer a request."""
    described, binary = [], b""
    for output in outputs:
        datatype, values = _values(classified, output)
        tensor: dict[str, Any] = {"name": output.name, "datatype": datatype, "shape": list(values.shape)}
        if output.binary:
            data = _to_bytes(values)
            tensor["parameters"] = {"binary_data_size": len(data)}
            binary += data
        else:
            tensor["data"] = values.ravel().tolist()
        described.append(tensor)
    model = {"model_name": classified.model.name, "model_version": str(classified.model.version)}
    identified = {} if request_id is None else {"id": request_id}
    return _respond({**identified, **model, "outputs": described}, binary)


def _respond(document: dict[str, Any], binary: bytes) -> Response:
    if not binary:
        return JSONResponse(document)
    header = json.dumps(document, ensure_ascii=False).encode()
    headers = {HEADER_LENGTH: str(len(header))}
    return Response(header + binary, headers=headers, media_type="application/octet-stream")


def _values(classified: Classified, output: Output) -> tuple[str, NDArray[Any]]:
    """An output's datatype, and its values [n, classes] or [n, top]: float32 or str."""
    probabilities, names = classified.probabilities, np.array(classified.bundle.class_names, object)
    if output.top is not None:
        return BYTES, _classify(probabilities, names, output.top)
    if output.name == CLASS_NAMES:
        return BYTES, np.broadcast_to(names, probabilities.shape)
    return FP32, probabilities


def _classify(probabilities: NDArray[np.float32], names: NDArray[Any], top: int) -> NDArray[Any]:
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    texts = [
        [f"{row[index]:f}:{index}:{names[index]}" for index in order]
        for row, order in zip(probabilities, best, strict=True)
    ]
    return np.array(texts, object)


def _to_bytes(values: NDArray[Any]) -> bytes:
    if values.dtype == object:
        return join_elements(text.encode() for text in values.flat)
    return values.astype("<f4").tobytes()
