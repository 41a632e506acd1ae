"""Grad-CAM (Selvaraju et al., 2017): which part of an image spoke for a class."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

SIDES = range(4, 17)
"""Positions a side that a map should have: fewer say "somewhere", more are edges and textures."""

_BATCH = 8
"""The tape keeps what every layer gives, which is 60 MB an image in VGG16 at 224 pixels."""
_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D)


def grad_cam(
    network: keras.Model, pixels: NDArray[np.uint8], classes: NDArray[np.integer[Any]]
) -> NDArray[np.float32] | None:
    """Weigh the last feature maps by how much the class's logit rises with them.

    Args:
        network: a flat graph, uint8 RGB [batch, size, size, 3] to logits.
        pixels: uint8 [n, size, size, 3].
        classes: int [n]; the class of each image that is asked about.

    Returns:
        float32 [n, size, size]: 1 where most speaks for the class, 0 where nothing does; all of an image is 0
        where nothing does anywhere. None: the network has no feature maps, as it has no convolution.
    """
    features = _feature_maps(network)
    if features is None:
        return None
    model = keras.Model(network.inputs[0], [features, network.outputs[0]])
    starts = range(0, len(pixels), _BATCH)
    maps = [_heat(model, pixels[start : start + _BATCH], classes[start : start + _BATCH]) for start in starts]
    return np.concatenate(maps) if maps else np.zeros(pixels.shape[:3], np.float32)


def _heat(
    model: keras.Model, pixels: NDArray[np.uint8], classes: NDArray[np.integer[Any]]
) -> NDArray[np.float32]:
    with tf.GradientTape() as tape:
        tape.watch([weight.value for weight in model.weights])  # frozen ones too: else nothing is recorded
        features, logits = model(pixels, training=False)
        asked = tf.reduce_sum(tf.gather(logits, classes, batch_dims=1))
    gradient = tf.cast(tape.gradient(asked, features), tf.float32)
    weights = tf.reduce_mean(gradient, axis=(1, 2), keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(weights * tf.cast(features, tf.float32), axis=-1, keepdims=True))
    heat = tf.image.resize(heat, pixels.shape[1:3])[..., 0]
    return np.asarray(tf.math.divide_no_nan(heat, tf.reduce_max(heat, axis=(1, 2), keepdims=True)))


def _feature_maps(network: keras.Model) -> Any:
    """The last maps [batch, height, width, channels] that the whole answer comes through; None: none.

    The last of those that are neither too small nor too large, where there is one: small images end at 1x1.
    """
    operations = list(network.operations)
    last_use = {
        id(tensor): place
        for place, operation in enumerate(operations)
        for tensor in ([] if isinstance(operation, keras.layers.InputLayer) else _tensors(operation.input))
    }
    found, reach, convolved = [], 0, False
    for place, operation in enumerate(operations):
        convolved = convolved or isinstance(operation, _CONVOLUTIONS)
        for tensor in _tensors(operation.output):
            # Nothing from before this place is used behind it: no branch leads around it.
            if convolved and reach <= place and len(tensor.shape) == 4:
                found.append(tensor)
            reach = max(reach, last_use.get(id(tensor), place))
    fitting = [tensor for tensor in found if min(tensor.shape[1:3]) in SIDES]
    return (fitting or found or [None])[-1]


def _tensors(structure: Any) -> list[Any]:
    return list(keras.tree.flatten(structure))
