"""Xception (Chollet, 2017) as one flat graph: uint8 RGB [batch, size, size, 3] in 0…255 to logits.

Keras' own, with the pixels' scaling to -1…1 in the graph, a global average, dropout and one dense layer.
"""

from typing import TYPE_CHECKING

from models.trainer.architecture import Architecture, ArchitectureOptions, Design

if TYPE_CHECKING:
    import keras

NAME = "xception"


def build(num_classes: int, image_size: int, dropout: float = 0.0) -> "keras.Model":
    """Build the network with fresh weights, in the current dtype policy.

    Args:
        num_classes: width of the output: logits, float32 [batch, num_classes].
        image_size: pixels; 71 or more.
        dropout: share of the features that is dropped while training.
    """
    from models.trainer.applications import base_of, with_head

    return with_head(base_of("Xception", image_size), num_classes, dropout, NAME)


def _published() -> "keras.Model":
    import keras

    return keras.applications.Xception(weights="imagenet", include_top=False)


def design(_options: ArchitectureOptions) -> Design:
    """The network; it has no options."""
    return Design(
        build=build,
        features="features",
        # What lies behind the last halving of the image, as in VGG16: a quarter of the weights.
        fine_tune_from="block14",
        smallest_image=71,
        published=_published,
    )


ARCHITECTURE = Architecture(name=NAME, design=design)
