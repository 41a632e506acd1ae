"""Small baselines for small images (8 pixels and more): uint8 RGB [batch, size, size, 3] in 0…255 to logits.

linear: no hidden layer. dnn: two dense layers. dnn-dropout: the same, with half of the first one's outputs
dropped while training. conv: two convolutions and a dense layer, after LeNet. conv-deep: six normalized
convolutions.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from models.trainer.architecture import Architecture, ArchitectureOptions, Design

if TYPE_CHECKING:
    import keras

NAME = "cnn"
FEATURES = "features"
WIDTHS = (512, 128)
"""Of the dense layers."""
HIDDEN_DROPOUT = 0.5

Variant = Literal["linear", "dnn", "dnn-dropout", "conv", "conv-deep"]


class Options(ArchitectureOptions):
    """Which of them."""

    variant: Variant = Field(
        default="conv",
        description="linear: no hidden layer; dnn: two; dnn-dropout: two and dropout; conv: two convolutions "
        "and a dense layer; conv-deep: six normalized convolutions.",
    )


def build(variant: Variant, num_classes: int, image_size: int, dropout: float = 0.0) -> "keras.Model":
    """Build a baseline with fresh weights, in the current dtype policy.

    Args:
        variant: which.
        num_classes: width of the output: logits, float32 [batch, num_classes].
        image_size: pixels; 8 or more.
        dropout: share of the features that is dropped while training.
    """
    import keras
    from keras import layers

    from models.trainer.applications import with_head

    image = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, dtype="float32", name="preprocess")(image)
    base = keras.Model(image, _BASES[variant](x))
    return with_head(base, num_classes, dropout, NAME)


def _linear(x: Any) -> Any:
    from keras import layers

    return layers.Flatten(name=FEATURES)(x)


def _dnn(x: Any, hidden_dropout: float = 0.0) -> Any:
    from keras import layers

    x = layers.Dense(WIDTHS[0], activation="relu", name="dense1")(layers.Flatten(name="flatten")(x))
    if hidden_dropout:
        x = layers.Dropout(hidden_dropout, name="dense1_dropout")(x)
    return layers.Dense(WIDTHS[1], activation="relu", name=FEATURES)(x)


def _conv(x: Any) -> Any:
    from keras import layers

    for block, channels in enumerate((32, 64), 1):
        x = layers.Conv2D(channels, 3, padding="same", activation="relu", name=f"block{block}_conv1")(x)
        x = layers.MaxPooling2D(name=f"block{block}_pool")(x)
    return layers.Dense(WIDTHS[1], activation="relu", name=FEATURES)(layers.Flatten(name="flatten")(x))


def _conv_deep(x: Any) -> Any:
    from keras import layers

    from models.trainer.applications import BATCH_NORM_MOMENTUM

    for block, channels in enumerate((32, 64, 128), 1):
        for name in (f"block{block}_conv1", f"block{block}_conv2"):
            x = layers.Conv2D(channels, 3, padding="same", use_bias=False, name=name)(x)
            x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"{name}_bn")(x)
            x = layers.ReLU(name=f"{name}_relu")(x)
        if block < 3:
            x = layers.MaxPooling2D(name=f"block{block}_pool")(x)
    return layers.GlobalAveragePooling2D(name=FEATURES)(x)


_BASES: dict[Variant, Callable[[Any], Any]] = {
    "linear": _linear,
    "dnn": _dnn,
    "dnn-dropout": partial(_dnn, hidden_dropout=HIDDEN_DROPOUT),
    "conv": _conv,
    "conv-deep": _conv_deep,
}


def design(options: Options) -> Design:
    """The baseline that the options say. They are small: fine-tuning changes all of it."""
    return Design(
        build=partial(build, options.variant),
        features=FEATURES,
        fine_tune_from="all",
        smallest_image=8,
        learning_rate=3e-3 if options.variant == "conv-deep" else 1e-3,
    )


ARCHITECTURE = Architecture(name=NAME, design=design, options=Options)
