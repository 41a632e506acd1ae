"""What the server and its model say of themselves."""

from typing import Any, Final

from serving.doors.open_inference.inputs import DATATYPES
from serving.doors.open_inference.outputs import BYTES, FP32
from serving.doors.tensors import CLASS_NAMES, IMAGE_BYTES, PIXELS, PROBABILITIES
from serving.loading import Served
from serving.runtimes import RuntimeName

SERVER: Final = "chrysalis"
VERSION: Final = "0.1.0"
"""The project's; a test holds that it is pyproject.toml's."""
EXTENSIONS: Final = ("binary_tensor_data", "classification")
PLATFORMS: Final = {RuntimeName.LITERT: "litert_tflite", RuntimeName.TENSORFLOW: "tensorflow_savedmodel"}


def describe_server() -> dict[str, Any]:
    """Describe the server."""
    return {"name": SERVER, "version": VERSION, "extensions": EXTENSIONS}


def describe_model(model: Served) -> dict[str, Any]:
    """Describe the model; a dimension of -1 is the number of images."""
    classes, size = len(model.bundle.class_names), model.bundle.image.size
    return {
        "name": model.name,
        "versions": [str(model.version)],
        "platform": PLATFORMS[model.predictor.runtime.name],
        "inputs": [
            _tensor(IMAGE_BYTES, DATATYPES[IMAGE_BYTES], [-1]),
            _tensor(PIXELS, DATATYPES[PIXELS], [-1, size, size, 3]),
        ],
        "outputs": [
            _tensor(PROBABILITIES, FP32, [-1, classes]),
            _tensor(CLASS_NAMES, BYTES, [-1, classes]),
        ],
    }


def _tensor(name: str, datatype: str, shape: list[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape}
