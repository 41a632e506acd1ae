"""How weights change: the optimizer, and its rate over the steps of a phase."""

from typing import Any

import keras

from models.trainer.config import TrainConfig

MOMENTUM = 0.9


def make_optimizer(config: TrainConfig, rate: float, steps: int) -> Any:
    """Make the optimizer of a phase of `steps` steps whose highest learning rate is `rate`."""
    schedule = learning_rate(config, rate, steps)
    if config.optimizer == "sgd":
        optimizer: Any = keras.optimizers.SGD(schedule, momentum=MOMENTUM)
    else:
        optimizer = keras.optimizers.Adam(schedule)
    if config.precision == "float16":
        return keras.optimizers.LossScaleOptimizer(optimizer)  # else small gradients are zero in float16
    return optimizer


def learning_rate(config: TrainConfig, rate: float, steps: int) -> Any:
    """A linear rise to `rate`, then a cosine to zero, or the same for ever."""
    warmup = round(config.warmup * steps)
    start = rate / max(warmup, 1)
    if config.schedule == "constant":
        return keras.optimizers.schedules.PolynomialDecay(start, max(warmup, 1), rate)
    if not warmup:
        return keras.optimizers.schedules.CosineDecay(rate, steps)
    return keras.optimizers.schedules.CosineDecay(
        start, max(steps - warmup, 1), warmup_target=rate, warmup_steps=warmup
    )
