"""What networks compute in: while they are trained, as a frozen base, and when they are exported."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras

from models.trainer.config import TrainConfig
from models.trainer.devices import has_gpu

_HALF = ("float16", "bfloat16")
_MULTIPLIES_BFLOAT16 = {"avx512_bf16", "amx_bf16"}
_CPU_INFO = Path("/proc/cpuinfo")


@contextmanager
def policy(precision: str) -> Iterator[None]:
    """Have layers that are built in the block compute in `precision`, with weights in float32."""
    kept = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32" if precision == "float32" else f"mixed_{precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(kept)


def feature_precision(config: TrainConfig) -> str:
    """What the frozen base computes in."""
    if config.feature_precision != "auto":
        return config.feature_precision
    if config.precision == "float32" and not has_gpu() and _MULTIPLIES_BFLOAT16 & _cpu_flags():
        return "bfloat16"
    return config.precision


def _cpu_flags() -> set[str]:
    """Of the first core, where the system tells."""
    if not _CPU_INFO.is_file():
        return set()
    lines = _CPU_INFO.read_text().splitlines()
    return set(next((line for line in lines if line.startswith("flags")), "").split())


def in_precision(network: keras.Model, precision: str) -> keras.Model:
    """A network that computes in float32, or in bfloat16 where that pays; the weights are the same.

    In bfloat16 only convolutions compute: they take nearly all of the time, while rounding what depthwise
    ones and normalizations give costs accuracy and gains nothing.

    Args:
        network: of any precision policy.
        precision: float32 or bfloat16.

    Returns:
        The network itself if it computes so, else a clone.
    """
    policies = {id(layer): _other_policy(layer, precision) for layer in network.layers}
    wanted = {layer: policy for layer, policy in policies.items() if policy}
    if not wanted:
        return network

    def clone(operation: Any) -> Any:
        config = operation.get_config()
        if policy := wanted.get(id(operation)):
            config["dtype"] = policy
        return type(operation).from_config(config)

    cloned = keras.models.clone_model(network, clone_function=clone)
    cloned.set_weights(network.get_weights())
    return cloned


def _other_policy(layer: keras.layers.Layer, precision: str) -> str | None:
    """The policy that a layer should have instead of its own."""
    if precision == "bfloat16" and type(layer) is keras.layers.Conv2D:
        return "mixed_bfloat16"
    # A graph also holds plain operations (`keras.ops.flip`), which have no precision of their own.
    return "float32" if getattr(layer, "compute_dtype", None) in _HALF else None
