"""VGG16 (Simonyan & Zisserman, 2014) as one flat graph: uint8 RGB [batch, size, size, 3] in 0…255 to logits.

The published weights want BGR with ImageNet's mean subtracted and no scaling: that is part of the graph. Its
layers have Keras' names, so those weights load by name. The head is a global average and one dense layer
instead of the paper's 4,096 units: it fits any image size, and has a hundredth of the weights.
"""

from typing import TYPE_CHECKING, Any

from models.trainer.architecture import Architecture, Pretrained

if TYPE_CHECKING:
    import keras

NAME = "vgg16"
BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""(channels, convolutions); each block ends by halving the image."""
IMAGENET_MEAN_BGR = (103.939, 116.779, 123.68)
PIXEL_DEVIATION = 60.0
"""Of photos' pixels, 0…255, about."""
FEATURES = "features"


def build(num_classes: int, image_size: int, dropout: float = 0.0) -> "keras.Model":
    """Build the network with fresh weights, in the current dtype policy.

    Args:
        num_classes: width of the output: logits, float32 [batch, num_classes].
        image_size: pixels; 32 or more.
        dropout: share of the features that is dropped while training.
    """
    import keras
    from keras import layers

    image = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    x = _preprocess(image)
    for block, (channels, convolutions) in enumerate(BLOCKS, 1):
        for number in range(1, convolutions + 1):
            name = f"block{block}_conv{number}"
            weights = _initial(PIXEL_DEVIATION if name == "block1_conv1" else 1.0)
            x = layers.Conv2D(
                channels, 3, padding="same", activation="relu", kernel_initializer=weights, name=name
            )(x)
        x = layers.MaxPooling2D(name=f"block{block}_pool")(x)
    x = layers.GlobalAveragePooling2D(name=FEATURES)(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(image, layers.Dense(num_classes, dtype="float32", name="logits")(x), name=NAME)


def _initial(deviation: float) -> Any:
    """He's initialization for inputs of a standard deviation, so that activations begin at about 1.

    With Keras' default, 13 layers of ReLU from scratch don't learn at all; with pixels taken for values of 1,
    the first loss is ten times what guessing gives.
    """
    from keras import initializers

    return initializers.VarianceScaling(2.0 / deviation**2, mode="fan_in", distribution="truncated_normal")


def _preprocess(image: Any) -> Any:
    """uint8 RGB to float32 BGR around zero. Always in float32: bfloat16 can't tell 254.3 from 255."""
    import keras
    from keras import layers

    x = layers.Rescaling(1.0, dtype="float32", name="to_float")(image)
    x = keras.ops.flip(x, axis=-1)
    return layers.Normalization(
        mean=IMAGENET_MEAN_BGR, variance=(1.0, 1.0, 1.0), dtype="float32", name="subtract_mean"
    )(x)


ARCHITECTURE = Architecture(
    name=NAME,
    build=build,
    features=FEATURES,
    fine_tune_from="block5",
    smallest_image=2 ** len(BLOCKS),
    pretrained=Pretrained(
        file="vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        url="https://storage.googleapis.com/tensorflow/keras-applications/vgg16/"
        "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        md5="6d6bbae143d832006294945121d1f1fc",
    ),
)
