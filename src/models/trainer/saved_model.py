"""The SavedModel of a bundle, for TensorFlow Serving, Vertex AI and whoever runs TensorFlow.

Signatures, both giving `probabilities` float32 [batch, classes] and `class_names` string [batch, classes]
(the same names in label order for each image, as TensorFlow Serving wants a row for each):

- `serving_default`: `image_bytes` string [batch], encoded JPEG, PNG, GIF (first frame) or BMP, of any sizes.
- `pixels`: `pixels` uint8 [batch, size, size, 3], RGB, 0…255.

The bytes are prepared as `imaging.prepare` does it, to within a rounding, but for what TensorFlow's decoders
don't know: EXIF orientation is ignored, and WebP, TIFF, AVIF and BMP of 32 bits are refused.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from contracts.bundle import ImageSpec
from imaging.resize import MAX_ASPECT
from models.trainer.calibrated import calibrated
from models.trainer.resizing import Box, centre, scale, square

_PNG = b"\x89PNG"


def write_saved_model(
    network: keras.Model,
    folder: Path,
    spec: ImageSpec,
    class_names: Sequence[str],
    temperature: float = 1.0,
) -> None:
    """Write a network (uint8 RGB [batch, size, size, 3] to logits) as a SavedModel.

    Its probabilities are softmax(logits / temperature).
    """

    def answer(pixels: Any) -> dict[str, Any]:
        probabilities = calibrated(network, pixels, temperature)
        names = tf.broadcast_to(tf.constant(list(class_names)), tf.shape(probabilities))
        return {"probabilities": probabilities, "class_names": names}

    def answer_bytes(image_bytes: Any) -> dict[str, Any]:
        row = tf.TensorSpec([spec.size, spec.size, 3], tf.uint8)
        return answer(tf.map_fn(lambda data: prepare(data, spec), image_bytes, fn_output_signature=row))

    # Not keras.export.ExportArchive: in Keras 3.15 it stores every weight twice.
    module = tf.Module()
    module.weights = [variable.value for variable in network.variables]
    shape = [None, spec.size, spec.size, 3]
    encoded, pixels = (
        tf.TensorSpec([None], tf.string, "image_bytes"),
        tf.TensorSpec(shape, tf.uint8, "pixels"),
    )
    signatures = {
        "serving_default": tf.function(answer_bytes, input_signature=[encoded], autograph=False),
        "pixels": tf.function(answer, input_signature=[pixels], autograph=False),
    }
    tf.saved_model.save(module, str(folder), signatures)


def prepare(data: Any, spec: ImageSpec) -> Any:
    """`imaging.prepare` in TensorFlow ops: a string scalar to uint8 [size, size, 3]."""
    record = _resize(_decode(data), spec)
    if spec.size > spec.record_size:
        pixels = square(record, spec.size)
    else:
        top, left, _, _ = centre(record, spec.size, spec.size)
        pixels = record[top : top + spec.size, left : left + spec.size]
    return tf.ensure_shape(pixels, [spec.size, spec.size, 3])


def _decode(data: Any) -> Any:
    """A string scalar to uint8 [height, width, 3]; transparency is laid on white."""
    return tf.case(
        [
            # INTEGER_ACCURATE gives Pillow's pixels; TensorFlow's default is 1/255 off, and faster by little.
            (tf.io.is_jpeg(data), lambda: tf.io.decode_jpeg(data, 3, dct_method="INTEGER_ACCURATE")),
            (tf.strings.substr(data, 0, len(_PNG)) == _PNG, lambda: _on_white(tf.io.decode_png(data, 4))),
        ],
        default=lambda: tf.io.decode_image(data, 3, expand_animations=False),
    )


def _on_white(pixels: Any) -> Any:
    """uint8 [height, width, 4] to [height, width, 3]."""
    colour, alpha = tf.cast(pixels[..., :3], tf.float32), tf.cast(pixels[..., 3:], tf.float32)
    return tf.cast(tf.round(255 + (colour - 255) * alpha / 255), tf.uint8)


def _resize(pixels: Any, spec: ImageSpec) -> Any:
    size = spec.record_size
    height, width = tf.shape(pixels)[0], tf.shape(pixels)[1]
    match spec.resize:
        case "shorter-side":
            longest = tf.minimum(height, width) * MAX_ASPECT
            box = centre(pixels, tf.minimum(height, longest), tf.minimum(width, longest))
            return scale(pixels, box, *_scaled(box, size / tf.minimum(height, width), least=size))
        case "crop":
            return square(pixels, size)
        case "stretch":
            return scale(pixels, (0, 0, height, width), size, size)
        case "pad":
            box = (0, 0, height, width)
            inner_height, inner_width = _scaled(box, size / tf.maximum(height, width), least=1)
            inner = scale(pixels, box, inner_height, inner_width)
            top, left = (size - inner_height) // 2, (size - inner_width) // 2
            return tf.image.pad_to_bounding_box(inner, top, left, size, size)


def _scaled(box: Box, factor: Any, least: int) -> tuple[Any, Any]:
    sides = tf.round(tf.cast(tf.stack(box[2:]), tf.float64) * factor)
    sides = tf.maximum(tf.cast(sides, tf.int32), least)
    return sides[0], sides[1]
