"""A network of any precision policy as one that computes in float32, for export: the weights are the same."""

from typing import Any

import keras


def in_float32(network: keras.Model) -> keras.Model:
    """Give the network itself if it computes in float32, else a float32 clone with its weights."""
    if all(layer.compute_dtype not in ("float16", "bfloat16") for layer in network.layers):
        return network

    def clone(layer: Any) -> Any:
        config = layer.get_config()
        if layer.compute_dtype in ("float16", "bfloat16"):
            config["dtype"] = "float32"
        return type(layer).from_config(config)

    float_network = keras.models.clone_model(network, clone_function=clone)
    float_network.set_weights(network.get_weights())
    return float_network
