"""A network of any precision policy as one that computes in float32, for export: the weights are the same."""

from typing import Any

import keras

_HALF = ("float16", "bfloat16")


def in_float32(network: keras.Model) -> keras.Model:
    """Give the network itself if it computes in float32, else a float32 clone with its weights."""
    if not any(_is_half(layer) for layer in network.layers):
        return network

    def clone(operation: Any) -> Any:
        config = operation.get_config()
        if _is_half(operation):
            config["dtype"] = "float32"
        return type(operation).from_config(config)

    float_network = keras.models.clone_model(network, clone_function=clone)
    float_network.set_weights(network.get_weights())
    return float_network


def _is_half(operation: Any) -> bool:
    # A graph also holds plain operations (`keras.ops.flip`), which have no precision of their own.
    return getattr(operation, "compute_dtype", None) in _HALF
