"""The extension for binary tensors: a body of a JSON object, and after it the tensors' bytes.

The header `Inference-Header-Content-Length` tells the JSON's length. An element of BYTES is its length, as 4
bytes, little-endian, and itself. With a length of 0 there is no JSON, and the body is the one element.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from serving.body import parse_json
from serving.doors.tensors import IMAGE_BYTES
from serving.errors import MalformedError

HEADER_LENGTH: Final = "Inference-Header-Content-Length"
RAW: Final = "0"
"""The header's value in a request that is nothing but an image."""

_LENGTH: Final = struct.Struct("<I")


class Message(NamedTuple):
    """A request's two parts."""

    document: dict[str, Any]
    binary: memoryview


def split_body(body: bytes, header_length: str | None) -> Message:
    """Part a body.

    Args:
        body: the whole of it.
        header_length: the header's value, where there is one; without it all is JSON.

    Raises:
        MalformedError: it can't be parted there, or the first part is no JSON object.
    """
    length = len(body) if header_length is None else _parse_length(header_length, len(body))
    document = parse_json(body[:length])
    if not isinstance(document, dict):
        raise MalformedError(f"expected a JSON object with inputs, got {type(document).__name__}")
    return Message(document, memoryview(body)[length:])


def _parse_length(text: str, most: int) -> int:
    # Not more digits than a length has: int() itself refuses thousands of them.
    if not (text.isdecimal() and len(text) < 12 and int(text) <= most):
        raise MalformedError(
            f"expected {HEADER_LENGTH} as the length of the body's JSON, at most the body's {most} bytes, "
            f"got {text[:20]!r}"
        )
    return int(text)


def raw_request(image: bytes) -> Message:
    """The request that a body without JSON stands for: one image, every output as binary data."""
    binary = join_elements([image])
    tensor = {
        "name": IMAGE_BYTES,
        "datatype": "BYTES",
        "shape": [1],
        "parameters": {"binary_data_size": len(binary)},
    }
    return Message({"inputs": [tensor], "parameters": {"binary_data_output": True}}, memoryview(binary))


def split_elements(data: memoryview, count: int) -> list[bytes]:
    """Part the bytes of a tensor of BYTES.

    Raises:
        MalformedError: they aren't `count` elements and nothing else.
    """
    elements, offset = [], 0
    for index in range(count):
        start = offset + _LENGTH.size
        offset = start + (_LENGTH.unpack_from(data, offset)[0] if start <= len(data) else 0)
        if max(start, offset) > len(data):
            raise MalformedError(f"the binary data ends within element {index} of {count}")
        elements.append(bytes(data[start:offset]))
    if offset != len(data):
        raise MalformedError(f"the binary data has {len(data) - offset} bytes more than its {count} elements")
    return elements


def join_elements(elements: Iterable[bytes]) -> bytes:
    """Make the bytes of a tensor of BYTES."""

    def parts() -> Iterator[bytes]:
        for element in elements:
            yield _LENGTH.pack(len(element))
            yield element

    return b"".join(parts())
