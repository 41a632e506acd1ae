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
