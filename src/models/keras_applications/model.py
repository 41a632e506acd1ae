"""Any network of `keras.applications` by its name: uint8 RGB [batch, size, size, 3] in 0…255 to logits.

What Keras has of it before its head, with its preprocessing in the graph, a global average (in ConvNeXt
normalized), dropout and one dense layer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import Field, PositiveFloat

from contracts.errors import InputError
from models.trainer.architecture import Architecture, ArchitectureOptions, Design

if TYPE_CHECKING:
    import keras

NAME = "keras_applications"


@dataclass(frozen=True)
class Family:
    """Networks of one kind. The table is written down so that the command line needn't load Keras."""

    networks: str
    """Their names in `keras.applications`."""
    fine_tune_from: str
    """Where the part begins that sees the image smallest, behind the last halving of it."""
    smallest_image: int = 32
    has_alpha: bool = False
    learning_rate: float = 1e-3


FAMILIES = (
    Family("ConvNeXtTiny", "convnext_tiny_stage_3"),
    Family("ConvNeXtSmall", "convnext_small_stage_3"),
    Family("ConvNeXtBase", "convnext_base_stage_3"),
    Family("ConvNeXtLarge", "convnext_large_stage_3"),
    Family("ConvNeXtXLarge", "convnext_xlarge_stage_3"),
    Family("DenseNet121 DenseNet169 DenseNet201", "conv5"),
    Family(" ".join(f"EfficientNetB{number}" for number in range(8)), "block6a"),
    Family(" ".join(f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "S", "M", "L")), "block6a"),
    Family("InceptionResNetV2", "mixed_7a", smallest_image=75),
    Family("InceptionV3", "mixed8", smallest_image=75),
    Family("MobileNet", "conv_dw_12", has_alpha=True),
    Family("MobileNetV2", "block_13", has_alpha=True),
    Family("MobileNetV3Large", "expanded_conv_12", has_alpha=True),
    Family("MobileNetV3Small", "expanded_conv_8", has_alpha=True),
    Family("NASNetLarge", "adjust_avg_pool_1_13"),
    Family("NASNetMobile", "adjust_avg_pool_1_9"),
    Family("ResNet50 ResNet101 ResNet152 ResNet50V2 ResNet101V2 ResNet152V2", "conv5"),
    Family("VGG16 VGG19", "block5", learning_rate=2e-4),
    Family("Xception", "block14", smallest_image=71),
)
NETWORKS = {network: family for family in FAMILIES for network in family.networks.split()}


class Options(ArchitectureOptions):
    """Which network, and how wide."""

    network: str = Field(
        default="MobileNetV2", description="A name of keras.applications; small letters will do."
    )
    alpha: PositiveFloat = Field(
        default=1.0, description="Width of a MobileNet, as a share of its paper's channels."
    )


def build(network: str, options: Mapping[str, Any], num_classes: int, image_size: int, dropout: float) -> Any:
    """Build a network with fresh weights, in the current dtype policy.

    Args:
        network: its name in `keras.applications`.
        options: what that function of Keras takes besides.
        num_classes: width of the output: logits, float32 [batch, num_classes].
        image_size: pixels, as many as Keras demands or more.
        dropout: share of the features that is dropped while training.
    """
    from models.trainer.applications import base_of, with_head

    return with_head(base_of(network, image_size, **options), num_classes, dropout, network)


def _published(network: str, options: Mapping[str, Any]) -> "keras.Model":
    import keras

    return getattr(keras.applications, network)(weights="imagenet", include_top=False, **options)


def design(options: Options) -> Design:
    """The network that the options say.

    Raises:
        InputError: Keras has none of that name, or it has no --alpha.
    """
    network = next((name for name in NETWORKS if name.lower() == options.network.lower()), None)
    if network is None:
        raise InputError(
            f"--network {options.network} isn't one of keras.applications: {', '.join(NETWORKS)}"
        )
    family = NETWORKS[network]
    if options.alpha != 1 and not family.has_alpha:
        raise InputError(f"--alpha {options.alpha:g} is for the MobileNets: leave it out with {network}")
    width = {"alpha": options.alpha} if family.has_alpha else {}
    return Design(
        build=partial(build, network, width),
        features="features",
        fine_tune_from=family.fine_tune_from,
        smallest_image=family.smallest_image,
        learning_rate=family.learning_rate,
        published=partial(_published, network, width),
    )


ARCHITECTURE = Architecture(name=NAME, design=design, options=Options)
