"""The model as clients of tensors know it: the names of what it takes and gives, and its inputs from JSON.

`image_bytes`: encoded images [n]. `pixels`: uint8 [n, size, size, 3], RGB, resized already.
`probabilities`: float32 [n, classes]. `class_names`: strings [n, classes], for each image the same.
They are those of the bundle's SavedModel.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from serving.errors import MalformedError
from serving.service import Classified, Service

IMAGE_BYTES: Final = "image_bytes"
PIXELS: Final = "pixels"
PROBABILITIES: Final = "probabilities"
CLASS_NAMES: Final = "class_names"

Images = list[bytes] | NDArray[np.uint8]
"""The values of `image_bytes`, or those of `pixels`."""


async def classify(service: Service, images: Images) -> Classified:
    """Classify the images, whichever of the inputs they came as.

    Raises:
        RequestError: as `Service.classify` says.
    """
    if isinstance(images, np.ndarray):
        return await service.classify_pixels(images)
    return await service.classify(images)


def flatten(values: Any, shape: Sequence[int], place: str) -> list[Any]:
    """Flatten lists in lists, in row-major order.

    Args:
        values: what came; the first of its lists is checked first, so that nothing is made of another's size.
        shape: what it must have.
        place: where it stands, for the message.

    Raises:
        MalformedError: it has another shape.
    """
    level = [values]
    for depth, size in enumerate(shape):
        if not all(type(part) is list and len(part) == size for part in level):
            raise MalformedError(
                f"{place}: expected lists of shape {list(shape)}; it differs at level {depth}"
            )
        level = list(chain.from_iterable(level))
    return level


def read_pixels(values: list[Any], shape: Sequence[int], place: str) -> NDArray[np.uint8]:
    """Make pixels of a flat list that holds as many values as the shape.

    Raises:
        MalformedError: a value is no whole number in 0…255.
    """
    # bytes() would take True for 1; numpy "7" for 7, and 1.5 for 1.
    if set(map(type, values)) <= {int}:
        try:
            return np.frombuffer(bytes(values), np.uint8).reshape(shape)
        except ValueError:
            pass
    raise MalformedError(f"{place}: expected every pixel's colours as whole numbers from 0 to 255")
