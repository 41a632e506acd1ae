"""VGG16: Keras' own, with its preprocessing in the graph."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from models.vgg16.model import ARCHITECTURE, BLOCKS, FEATURES, Options, build


@pytest.fixture(scope="module")
def network() -> Any:
    keras.utils.set_random_seed(0)
    return build(5, 32)


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)


def test_it_computes_what_keras_vgg16_does(network: Any, images: NDArray[np.uint8]) -> None:
    published = keras.applications.VGG16(
        include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg"
    )
    convolutions = [layer.name for layer in published.layers if layer.weights]
    assert len(convolutions) == sum(count for _, count in BLOCKS)
    for name in convolutions:
        published.get_layer(name).set_weights(network.get_layer(name).get_weights())
    features = keras.Model(network.input, network.get_layer(FEATURES).output)(images)
    prepared = keras.applications.vgg16.preprocess_input(images.astype(np.float32))
    np.testing.assert_allclose(features, published(prepared), rtol=1e-4, atol=1e-4)


def test_uint8_and_float32_pixels_are_the_same(network: Any, images: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(network(images), network(images.astype(np.float32)))


def test_it_is_flat_and_reloads_without_our_code(
    network: Any, images: NDArray[np.uint8], tmp_path: Path
) -> None:
    assert not [layer for layer in network.layers if isinstance(layer, keras.Model)]
    assert (network.input.name, network.output.shape) == ("image", (None, 5))
    network.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(reloaded(images), network(images))


def test_fresh_weights_keep_activations_near_one(network: Any, images: NDArray[np.uint8]) -> None:
    last = keras.Model(network.input, network.get_layer("block5_conv3").output)(images)
    assert 0.1 < float(np.sqrt(np.mean(np.square(last)))) < 10


def test_batch_norm_keeps_fresh_activations_near_one_too(images: NDArray[np.uint8]) -> None:
    design = ARCHITECTURE.design(Options(batch_norm=True))
    network = design.build(5, 32, 0.0)
    names = [layer.name for layer in network.layers]
    after = names.index("block3_conv2")
    assert names[after : after + 3] == ["block3_conv2", "block3_conv2_bn", "block3_conv2_relu"]
    last = keras.Model(network.input, network.get_layer("block5_conv3_relu").output)
    assert 0.1 < float(np.sqrt(np.mean(np.square(last(images, training=True))))) < 10
    assert design.published is None
