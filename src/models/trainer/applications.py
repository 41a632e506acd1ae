"""Networks of `keras.applications` as bases: flat graphs that begin with uint8 RGB and keep their names.

As Keras builds them they miss what the engine wants: some hold models within the model, which nothing can
look into; some leave layers to be named by a counter of the process; and what `preprocess_input` does is left
to whoever calls them.
"""

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

FEATURES = "features"
"""The layer that a base ends with."""
BATCH_NORM_MOMENTUM = 0.9
"""Small data sets make few steps, in which moving averages with Keras' 0.99 and more wouldn't get far from
where they began: validation would see another network."""
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


def base_of(network: str, image_size: int, **options: Any) -> keras.Model:
    """Build a network of `keras.applications` without its head, with fresh weights, in the current policy.

    Args:
        network: its name there, such as MobileNet.
        image_size: pixels, as many as Keras demands or more.
        options: what that function of Keras takes besides, such as `alpha`.

    Returns:
        A graph from `image`, uint8 RGB [batch, size, size, 3] in 0…255, to `features`, [batch, channels]. It
        holds no model within it, and each build in a process gives the same names.
    """
    image = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    built = getattr(keras.applications, network)(
        include_top=False,
        weights=None,
        input_tensor=preprocess(image, network),
        input_shape=(image_size, image_size, 3),
        pooling="avg",
        **options,
    )
    base = keras.models.clone_model(built, clone_function=_Cloning(built), call_function=_call_flat)
    return keras.Model(base.inputs[0], base.outputs[0], name=network)  # not the lists of one that Keras makes


def with_head(base: keras.Model, num_classes: int, dropout: float, name: str) -> keras.Model:
    """Put dropout and one dense layer behind a base: float32 logits [batch, num_classes]."""
    x = layers.Dropout(dropout, name="dropout")(base.output)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(base.input, logits, name=name)


def preprocess(image: Any, network: str) -> Any:
    """Add what Keras' `preprocess_input` does for a network to uint8 RGB [..., 3], as layers.

    Always in float32: bfloat16 can't tell 254.3 from 255.
    """
    scale, offset, to_bgr = _affine(_module_of(network).preprocess_input)
    x = layers.Rescaling(scale, offset, dtype="float32", name="preprocess")(image)
    return keras.ops.flip(x, axis=-1) if to_bgr else x


def _affine(function: Callable[[Any], Any]) -> tuple[list[float], list[float], bool]:
    """What a `preprocess_input` does: scale and offset for each of R, G and B, and whether it gives BGR."""
    black_and_primaries = 255.0 * np.concatenate([np.zeros((1, 3)), np.eye(3)])
    black, *primaries = function(black_and_primaries.reshape(4, 1, 1, 3)).reshape(4, 3)
    response = (np.stack(primaries) - black) / 255.0  # [channel in, channel out]
    to_bgr = bool(response[0, 0] == 0)
    offset = black[::-1] if to_bgr else black
    return response.sum(axis=1).tolist(), offset.tolist(), to_bgr


def _module_of(network: str) -> Any:
    """The module of `keras.applications` with a network's `preprocess_input`; it needn't have the network."""
    return getattr(keras.applications, getattr(keras.applications, network).__module__.rpartition(".")[2])


class _Cloning:
    """Makes each operation of a network anew, as the engine wants it."""

    def __init__(self, network: keras.Model) -> None:
        self._last = network.layers[-1].name
        self._seen: Counter[str] = Counter()

    def __call__(self, operation: Any) -> Any:
        if isinstance(operation, keras.Sequential):
            return keras.Sequential([self(layer) for layer in operation.layers], name=operation.name)
        config = {**operation.get_config(), "name": self._name(operation)}
        if isinstance(operation, layers.Rescaling | layers.Normalization):
            config["dtype"] = "float32"
        if isinstance(operation, layers.Normalization) and config["mean"] is None:
            # EfficientNet keeps them as weights, and in a form that needs another layer behind it:
            # tensorflow/tensorflow#49930. This is what both come to.
            config |= {"mean": IMAGENET_MEAN, "variance": tuple(d * d for d in IMAGENET_DEVIATION)}
        if isinstance(operation, layers.BatchNormalization):
            config["momentum"] = BATCH_NORM_MOMENTUM
        return type(operation).from_config(config)

    def _name(self, operation: Any) -> str:
        """An operation's name; where Keras counted it, counted within this network."""
        name = str(operation.name)
        if name == self._last:
            return FEATURES
        counted = re.fullmatch(type(operation).__name__.lower() + r"\d*", name.replace("_", ""))
        if not counted:
            return name
        name = re.sub(r"_\d+$", "", name)
        self._seen[name] += 1
        return f"{name}_{self._seen[name]}"


def _call_flat(operation: Any, *args: Any, **kwargs: Any) -> Any:
    """Call an operation; of a model within the model, its layers one after the other."""
    if not isinstance(operation, keras.Sequential):
        return operation(*args, **kwargs)
    (x,) = args
    for layer in operation.layers:
        x = layer(x)
    return x
