"""How weights change: the optimizer, its rate over the steps of a phase, and the weights' moving average."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
from keras import ops

from models.trainer.config import TrainConfig


def make_optimizer(config: TrainConfig, rate: float, steps: int, epochs: int) -> Any:
    """Make the optimizer of a phase.

    Args:
        config: which one.
        rate: the highest learning rate.
        steps: of an epoch.
        epochs: of the phase.
    """
    average: dict[str, Any] = {"use_ema": True, "ema_momentum": config.ema} if config.ema else {}
    schedule = LearningRate(config, rate, steps, epochs)
    if config.optimizer == "sgd":
        optimizer: Any = keras.optimizers.SGD(schedule, momentum=config.momentum, **average)
    elif config.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(schedule, weight_decay=config.weight_decay, **average)
        # Biases and normalizations' scales have no reason to be small.
        optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    else:
        optimizer = keras.optimizers.Adam(schedule, **average)
    if config.precision == "float16":
        return keras.optimizers.LossScaleOptimizer(optimizer)  # else small gradients are zero in float16
    return optimizer


class LearningRate(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A linear rise, then the schedule: Keras warms up its cosine alone."""

    def __init__(self, config: TrainConfig, rate: float, steps: int, epochs: int) -> None:
        self._rate = rate
        self._warmup = round(config.warmup * steps * epochs)
        after = steps * epochs - self._warmup
        schedules = keras.optimizers.schedules
        self._after: Any = None
        if config.schedule == "cosine":
            self._after = schedules.CosineDecay(rate, max(after, 1))
        elif config.schedule == "step":
            self._after = schedules.ExponentialDecay(
                rate, config.step_epochs * steps, config.step_factor, staircase=True
            )

    def __call__(self, step: Any) -> Any:
        """The rate of a step, counted from 0: float32 []."""
        after = self._after(ops.maximum(step - self._warmup, 0)) if self._after else self._rate
        risen = ops.cast(step + 1, "float32") / max(self._warmup, 1)
        return ops.where(step < self._warmup, self._rate * risen, after)

    def get_config(self) -> dict[str, Any]:
        """Nothing: optimizers are rebuilt from the run's configuration, not from a file."""
        return {}


def scaled_rate(config: TrainConfig, rate: float) -> float:
    """A learning rate for the global batch: as it was given, unless scaling was asked for."""
    if config.reference_batch_size is None:
        return rate
    return rate * config.batch_size / config.reference_batch_size


@contextmanager
def averaged(network: Any, optimizer: Any) -> Iterator[None]:
    """Let a network have the moving average of its weights while the block lasts, if one is kept."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    if not inner.use_ema or not int(inner.iterations.numpy()):
        yield
        return
    variables = network.trainable_variables
    kept = [variable.numpy() for variable in variables]
    inner.finalize_variable_values(variables)
    try:
        yield
    finally:
        for variable, value in zip(variables, kept, strict=True):
            variable.assign(value)
