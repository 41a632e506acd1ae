"""What the trainer's tests train: a network of a few layers, on the shared tiny records."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.bundle import ModelBundle
from models.trainer.architecture import Architecture
from models.trainer.config import Execution, TrainConfig
from models.trainer.train import train_and_evaluate


def build(num_classes: int, image_size: int, dropout: float = 0.0) -> Any:
    """Two convolutions and a head: uint8 RGB [batch, size, size, 3] to logits [batch, num_classes]."""
    import keras
    from keras import layers

    image = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, dtype="float32", name="scale")(image)
    x = layers.Conv2D(8, 3, strides=2, activation="relu", name="block1_conv1")(x)
    x = layers.Conv2D(16, 3, strides=2, activation="relu", name="block2_conv1")(x)
    x = layers.GlobalAveragePooling2D(name="features")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(image, layers.Dense(num_classes, dtype="float32", name="logits")(x), name="small")


SMALL = Architecture(
    name="small", build=build, features="features", fine_tune_from="block2", smallest_image=8
)

QUICK: dict[str, Any] = {"epochs": 2, "batch_size": 16, "learning_rate": 0.01, "warmup": 0.0}
"""A configuration that trains it in seconds."""

Train = Callable[..., ModelBundle]


@pytest.fixture
def small() -> Architecture:
    return SMALL


@pytest.fixture
def train(tiny_records: Path) -> Train:
    """Train the small network: (output, devices=None, execution's and configuration's keys) to the bundle."""

    def run(output: Path | str, *, data: Path | str = tiny_records, **settings: Any) -> ModelBundle:
        execution = {key: settings.pop(key) for key in list(settings) if key in Execution.model_fields}
        devices = settings.pop("devices", None)
        return train_and_evaluate(
            TrainConfig(**(QUICK | settings)),
            Execution(**({"gpu": 0, "wandb": "off"} | execution)),
            str(data),
            str(output),
            SMALL,
            devices=devices,
        )

    return run
