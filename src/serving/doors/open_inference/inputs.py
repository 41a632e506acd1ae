"""The input of a request for inference, one tensor: from JSON, flat or nested, or from binary data.

Shapes are only believed once they fit what came: nothing is allocated for a size that a client names.
"""

from math import prod
from reprlib import repr as shortened
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from serving.body import decode_base64
from serving.doors.open_inference.binary import Message, split_elements
from serving.doors.open_inference.parameters import read_parameters
from serving.doors.tensors import IMAGE_BYTES, PIXELS, Images, flatten, read_pixels
from serving.errors import MalformedError
from serving.loading import Served
from serving.service import Service

DATATYPES: Final = {IMAGE_BYTES: "BYTES", PIXELS: "UINT8"}
"""Of each input; a request has one of them."""

_MOST: Final = 1 << 63
"""No dimension reaches it: the protocol's are of 64 bits."""


class Tensor(NamedTuple):
    """An input whose shape is one that the model takes."""

    name: str
    shape: tuple[int, ...]
    values: Any
    """What its JSON holds, or its bytes."""

    @property
    def is_binary(self) -> bool:
        """Whether the values are bytes."""
        return isinstance(self.values, memoryview)


def read_images(message: Message, model: Served, service: Service) -> Images:
    """Read a request's images.

    Raises:
        RequestError: it holds another input, or none; or its shape, its datatype or its values aren't right.
    """
    inputs = message.document.get("inputs")
    if not (isinstance(inputs, list) and len(inputs) == 1 and isinstance(inputs[0], dict)):
        raise MalformedError(f"expected one input, {_either()}: [{{name, shape, datatype, data}}]")
    name, size = inputs[0].get("name"), model.bundle.image.size
    if not isinstance(name, str) or name not in DATATYPES:
        raise MalformedError(f"expected the input's name as {_either()}, got {shortened(name)}")
    shape = _read_shape(inputs[0], name, [size, size, 3] if name == PIXELS else [])
    service.require_few(shape[0])
    tensor = Tensor(name, shape, _read_values(inputs[0], name, message.binary))
    return _pixels(tensor) if name == PIXELS else _image_bytes(tensor)


def _either() -> str:
    return " or ".join(DATATYPES)


def _read_shape(described: dict[str, Any], name: str, image: list[int]) -> tuple[int, ...]:
    if described.get("datatype") != DATATYPES[name]:
        raise MalformedError(
            f"expected {name} of datatype {DATATYPES[name]}, got {shortened(described.get('datatype'))}"
        )
    shape = described.get("shape")
    if not (
        isinstance(shape, list)
        and shape[1:] == image
        and all(type(size) is int and 0 <= size < _MOST for size in shape)
        and shape
    ):
        expected = ", ".join(["n", *map(str, image)])
        raise MalformedError(f"expected {name} of shape [{expected}], got {shortened(shape)}")
    return tuple(shape)


def _read_values(described: dict[str, Any], name: str, binary: memoryview) -> Any:
    size = read_parameters(described, name).get("binary_data_size")
    if ("data" in described) == (size is not None):
        raise MalformedError(f"{name}: expected either data or the parameter binary_data_size")
    if type(size) not in (int, type(None)) or (size or 0) != len(binary):
        raise MalformedError(
            f"{name}: {len(binary)} bytes follow the JSON, but binary_data_size is {shortened(size)}"
        )
    return binary if size is not None else described["data"]


def _image_bytes(tensor: Tensor) -> list[bytes]:
    if tensor.is_binary:
        return split_elements(tensor.values, tensor.shape[0])
    texts = flatten(tensor.values, tensor.shape, tensor.name)
    return [decode_base64(text, f"{tensor.name}, element {index}") for index, text in enumerate(texts)]


def _pixels(tensor: Tensor) -> NDArray[np.uint8]:
    values, count = tensor.values, prod(tensor.shape)
    if tensor.is_binary:
        if len(values) != count:
            raise MalformedError(
                f"{tensor.name}: expected {count} bytes for its shape {list(tensor.shape)}, got {len(values)}"
            )
        return np.frombuffer(values, np.uint8).reshape(tensor.shape)
    is_nested = isinstance(values, list) and bool(values) and isinstance(values[0], list)
    flat = flatten(values, tensor.shape if is_nested else [count], tensor.name)
    return read_pixels(flat, tensor.shape, tensor.name)
