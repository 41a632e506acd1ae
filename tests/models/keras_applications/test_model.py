"""keras_applications: every network that Keras has, by any spelling, and what is written down of them."""

import inspect
from collections.abc import Sequence
from typing import Any

import keras
import pytest

from contracts.errors import InputError
from models.keras_applications.model import ARCHITECTURE, NETWORKS, Options


def test_the_table_has_every_network_of_keras() -> None:
    assert set(NETWORKS) == {
        name for name, value in vars(keras.applications).items() if inspect.isfunction(value)
    }


@pytest.mark.parametrize("name", NETWORKS)
def test_smaller_images_are_those_that_keras_refuses(name: str) -> None:
    side = NETWORKS[name].smallest_image - 1
    with pytest.raises(ValueError, match=f"at least {side + 1}"):
        getattr(keras.applications, name)(include_top=False, weights=None, input_shape=(side, side, 3))


@pytest.mark.parametrize("name", ["densenet121", "EFFICIENTNETB0", "MobileNet", "mobilenetv3small", "VGG16"])
def test_fine_tuning_begins_where_the_image_is_smallest(name: str) -> None:
    design = ARCHITECTURE.design(Options(network=name))
    layers = design.build(3, 64, 0.0).layers
    start = next(number for number, it in enumerate(layers) if it.name.startswith(design.fine_tune_from))
    sides = [it.output.shape[1] for it in layers[start:] if len(it.output.shape) == 4]
    assert sides[0] in (2, 4)
    assert 0.1 < _weights(layers[start:]) / _weights(layers) < 0.8


def _weights(layers: Sequence[Any]) -> int:
    return sum(int(layer.count_params()) for layer in layers)


def test_alpha_is_the_width_of_a_mobilenet() -> None:
    network = ARCHITECTURE.design(Options(network="mobilenet", alpha=0.25)).build(3, 32, 0.0)
    assert network.get_layer("features").output.shape == (None, 256)
    with pytest.raises(InputError, match=r"--alpha 0\.5 is for the MobileNets: leave it out with ResNet50"):
        ARCHITECTURE.design(Options(network="resnet50", alpha=0.5))


def test_an_unknown_network_is_answered_with_those_there_are() -> None:
    with pytest.raises(InputError, match=r"--network resnet18 isn't one of .*: ConvNeXtTiny, .*, Xception$"):
        ARCHITECTURE.design(Options(network="resnet18"))
