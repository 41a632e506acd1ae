"""What the trainer's tests train: a network of a few layers, on the shared tiny records."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import Field

from contracts.bundle import ModelBundle
from models.trainer.architecture import Architecture, ArchitectureOptions, Design
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


def build_normalized(num_classes: int, image_size: int, dropout: float = 0.0) -> Any:
    """The same with a batch normalization behind each convolution."""
    import keras
    from keras import layers

    image = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, dtype="float32", name="scale")(image)
    for block, channels in enumerate((8, 16), 1):
        x = layers.Conv2D(channels, 3, strides=2, use_bias=False, name=f"block{block}_conv1")(x)
        x = layers.BatchNormalization(name=f"block{block}_normalization")(x)
        x = layers.ReLU(name=f"block{block}_relu")(x)
    x = layers.GlobalAveragePooling2D(name="features")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(image, layers.Dense(num_classes, dtype="float32", name="logits")(x), name="small")


class SmallOptions(ArchitectureOptions):
    batch_norm: bool = Field(default=False, description="Normalize.")


def design(options: SmallOptions) -> Design:
    return Design(
        build=build_normalized if options.batch_norm else build,
        features="features",
        fine_tune_from="block2",
        smallest_image=8,
    )


SMALL = Architecture(name="small", design=design, options=SmallOptions)

QUICK: dict[str, Any] = {"epochs": 2, "batch_size": 16, "learning_rate": 0.01, "warmup": 0.0}
"""A configuration that trains it in seconds."""

Train = Callable[..., ModelBundle]


def train_small(data: Path | str, output: Path | str, **settings: Any) -> ModelBundle | None:
    """Train the small network with keys of the execution, the configuration and its own options."""
    devices = settings.pop("devices", None)

    def chosen(kind: Any, defaults: dict[str, Any]) -> Any:
        return kind(**(defaults | {key: settings[key] for key in settings if key in kind.model_fields}))

    return train_and_evaluate(
        chosen(TrainConfig, QUICK),
        chosen(Execution, {"gpu": "0", "wandb": "off"}),
        str(data),
        str(output),
        SMALL,
        chosen(SmallOptions, {}),
        devices=devices,
    )


@pytest.fixture
def small() -> Architecture:
    return SMALL


@pytest.fixture
def train(tiny_records: Path) -> Train:
    """Train the small network on the tiny records: (output, …settings) to the bundle; None: not exported."""

    def run(output: Path | str, *, data: Path | str = tiny_records, **settings: Any) -> ModelBundle:
        bundle = train_small(data, output, **settings)
        assert (bundle is None) == (settings.get("export") is False)
        return cast(ModelBundle, bundle)

    return run
