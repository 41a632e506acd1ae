"""What TensorFlow Serving says of the bundle's SavedModel: its signatures, as a protobuf's JSON.

The names of the tensors are those that TensorFlow gives them at the export, which writes no others.
"""

from typing import Any, Final

from contracts.bundle import ModelBundle
from serving.doors.tensors import CLASS_NAMES, IMAGE_BYTES, PIXELS, PROBABILITIES

DEFAULT: Final = "serving_default"
INPUTS: Final = {DEFAULT: IMAGE_BYTES, PIXELS: PIXELS}
"""Each signature's one input."""

_INIT: Final = "__saved_model_init_op"


def describe_signatures(bundle: ModelBundle) -> dict[str, Any]:
    """Describe every signature: its name to its definition."""
    classes, size = len(bundle.class_names), bundle.image.size
    encoded = {IMAGE_BYTES: _tensor(f"{DEFAULT}_{IMAGE_BYTES}:0", "DT_STRING", [-1])}
    pixels = {PIXELS: _tensor(f"{PIXELS}_{PIXELS}:0", "DT_UINT8", [-1, size, size, 3])}
    nothing = {_INIT: _tensor("NoOp", "DT_INVALID", None)}
    return {
        DEFAULT: _signature(encoded, _outputs("StatefulPartitionedCall_1", classes)),
        PIXELS: _signature(pixels, _outputs("StatefulPartitionedCall", classes)),
        _INIT: {"inputs": {}, "outputs": nothing, "method_name": "", "defaults": {}},
    }


def _signature(inputs: dict[str, Any], outputs: dict[str, Any]) -> dict[str, Any]:
    method = "tensorflow/serving/predict"
    return {"inputs": inputs, "outputs": outputs, "method_name": method, "defaults": {}}


def _outputs(call: str, classes: int) -> dict[str, Any]:
    return {
        CLASS_NAMES: _tensor(f"{call}:0", "DT_STRING", [-1, classes]),
        PROBABILITIES: _tensor(f"{call}:1", "DT_FLOAT", [-1, classes]),
    }


def _tensor(name: str, dtype: str, shape: list[int] | None) -> dict[str, Any]:
    dim = [{"size": str(size), "name": ""} for size in shape or []]
    return {"name": name, "dtype": dtype, "tensor_shape": {"dim": dim, "unknown_rank": shape is None}}
