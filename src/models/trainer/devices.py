"""`--gpu N` to a tf.distribute strategy; the devices are looked at first.

MirroredStrategy over devices that aren't there says "2 replicas" and then hangs; without devices it silently
takes the CPU. Nothing else here asks TensorFlow which devices there are.
"""

import functools
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from contracts.errors import InputError


def strategy_for(gpu: int, devices: Sequence[str] | None = None) -> Any:
    """Choose where to train.

    Args:
        gpu: 0 is the CPU, 1 a single GPU without a strategy, more is MirroredStrategy.
        devices: these very devices instead, whatever `gpu` says: how tests train on two logical CPUs.

    Returns:
        A `tf.distribute.Strategy`; the default one for a single device.

    Raises:
        InputError: there are fewer GPUs.
    """
    if devices is None:
        devices = _gpus(gpu)
    if len(devices) > 1:
        return _mirrored(tuple(devices))
    return tf.distribute.get_strategy()


@functools.cache
def _mirrored(devices: tuple[str, ...]) -> Any:
    """One a process: a second strategy's reductions bear the numbers of the first's, and mix with them."""
    return tf.distribute.MirroredStrategy(list(devices))


def has_gpu() -> bool:
    """Whether a GPU is in use."""
    return bool(tf.config.get_visible_devices("GPU"))


def _gpus(wanted: int) -> list[str]:
    found = tf.config.list_physical_devices("GPU")
    if wanted > len(found):
        kind = "GPU" if len(found) == 1 else "GPUs"
        raise InputError(
            f"--gpu {wanted} wants more than this machine has: TensorFlow sees {len(found)} {kind}; "
            f"use --gpu {len(found)}" + (" (the CPU)" if not found else "")
        )
    chosen = found[:wanted]
    try:
        tf.config.set_visible_devices(chosen, "GPU")
        for device in chosen:
            tf.config.experimental.set_memory_growth(device, True)
    except RuntimeError:
        # This process has used its devices before, so they can't be set up any more; as they are will do.
        pass
    return [f"GPU:{number}" for number in range(wanted)]
