"""VGG16 (Simonyan & Zisserman, 2014) as one flat graph: uint8 RGB [batch, size, size, 3] in 0…255 to logits.

The published weights want BGR with ImageNet's mean subtracted and no scaling: that is part of the graph. Its
layers have Keras' names, so those weights load by name. The head is a global average and one dense layer
instead of the paper's 4,096 units: it fits any image size, and has a hundredth of the weights.
"""

from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import Field

from models.trainer.architecture import Architecture, ArchitectureOptions, Design

if TYPE_CHECKING:
    import keras

NAME = "vgg16"
BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""(channels, convolutions); each block ends by halving the image."""
PIXEL_DEVIATION = 60.0
"""Of photos' pixels, 0…255, about."""
FEATURES = "features"


class Options(ArchitectureOptions):
    """What VGG16 can be told."""

    batch_norm: bool = Field(
        default=False,
        description="Normalize behind each convolution: faster from scratch; without published weights.",
    )


def build(num_classes: int, image_size: int, dropout: float = 0.0, *, batch_norm: bool = False) -> Any:
    """Build the network with fresh weights, in the current dtype policy.

    Args:
        num_classes: width of the output: logits, float32 [batch, num_classes].
        image_size: pixels; 32 or more.
        dropout: share of the features that is dropped while training.
        batch_norm: whether each convolution is normalized before its ReLU.
    """
    import keras
    from keras import layers

    from models.trainer.applications import preprocess, with_head

    image = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    x = preprocess(image, "VGG16")
    for block, (channels, convolutions) in enumerate(BLOCKS, 1):
        for number in range(1, convolutions + 1):
            convolution = _normalized if batch_norm else _plain
            x = convolution(x, channels, f"block{block}_conv{number}")
        x = layers.MaxPooling2D(name=f"block{block}_pool")(x)
    base = keras.Model(image, layers.GlobalAveragePooling2D(name=FEATURES)(x))
    return with_head(base, num_classes, dropout, NAME)


def _plain(x: Any, channels: int, name: str) -> Any:
    """A convolution and its ReLU; He's weights for inputs of their deviation, so that activations begin at 1.

    With Keras' default, 13 layers of ReLU from scratch don't learn at all; with pixels taken for values of 1,
    the first loss is ten times what guessing gives.
    """
    from keras import initializers, layers

    deviation = PIXEL_DEVIATION if name == "block1_conv1" else 1.0
    weights = initializers.VarianceScaling(2.0 / deviation**2, mode="fan_in", distribution="truncated_normal")
    return layers.Conv2D(
        channels, 3, padding="same", activation="relu", kernel_initializer=weights, name=name
    )(x)


def _normalized(x: Any, channels: int, name: str) -> Any:
    """A convolution, normalized, and its ReLU."""
    from keras import layers

    from models.trainer.applications import BATCH_NORM_MOMENTUM

    # No bias: the normalization has one.
    x = layers.Conv2D(channels, 3, padding="same", use_bias=False, kernel_initializer="he_normal", name=name)(
        x
    )
    x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def _published() -> "keras.Model":
    import keras

    return keras.applications.VGG16(weights="imagenet", include_top=False)


def design(options: Options) -> Design:
    """The network that the options say."""
    return Design(
        build=partial(build, batch_norm=options.batch_norm),
        features=FEATURES,
        fine_tune_from="block5",
        smallest_image=2 ** len(BLOCKS),
        learning_rate=1e-3 if options.batch_norm else 2e-4,
        published=None if options.batch_norm else _published,
    )


ARCHITECTURE = Architecture(name=NAME, design=design, options=Options)
