"""Networks of keras.applications as the engine has them: flat, named alike, their pixels prepared."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from models.trainer.applications import FEATURES, base_of, preprocess, with_head

SIZE = 75
"""Pixels: the most that one of them demands."""

NETWORKS = ("ConvNeXtTiny", "MobileNetV3Small", "Xception")
"""One has models within it, one operations that are no layers, and one layers that a counter names."""


@pytest.fixture(scope="module", params=NETWORKS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def base(name: str) -> Any:
    base = base_of(name, SIZE)
    return _with_lively_weights(base)


def _with_lively_weights(network: Any) -> Any:
    """With statistics and scales as after training: fresh ones let nothing through that could differ."""
    rng = np.random.default_rng(0)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, value.shape) for value in layer.get_weights()])
    return network


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3), np.uint8)


def test_it_computes_what_keras_network_does_on_what_preprocess_input_gives(
    name: str, base: Any, images: NDArray[np.uint8]
) -> None:
    published = getattr(keras.applications, name)(
        include_top=False, weights=None, pooling="avg", input_shape=(SIZE, SIZE, 3)
    )
    published.set_weights(base.get_weights())
    np.testing.assert_allclose(base(images), published(_prepared(name, images)), rtol=1e-3, atol=1e-4)


def _prepared(name: str, images: NDArray[Any]) -> Any:
    module = getattr(keras.applications, name).__module__.rpartition(".")[2]
    return getattr(keras.applications, module).preprocess_input(images.astype(np.float32))


@settings(max_examples=20, deadline=None)
@given(pixels=arrays(np.uint8, (1, 4, 4, 3)))
@pytest.mark.parametrize("network", ["MobileNet", "DenseNet121", "ResNet50", "EfficientNetB0"])
def test_pixels_are_prepared_as_keras_does(network: str, pixels: NDArray[np.uint8]) -> None:
    image = keras.Input((4, 4, 3), dtype="uint8")
    prepared = keras.Model(image, preprocess(image, network))(pixels)
    np.testing.assert_allclose(prepared, _prepared(network, pixels), rtol=1e-5, atol=1e-5)


def test_it_is_flat_and_named_alike_each_time(name: str, base: Any) -> None:
    again = base_of(name, SIZE)
    assert [operation.name for operation in again.operations] == [
        operation.name for operation in base.operations
    ]
    assert not [layer for layer in base.layers if isinstance(layer, keras.Model)]
    assert (base.layers[0].name, base.layers[-1].name) == ("image", FEATURES)


def test_it_reloads_and_clones_without_our_code(base: Any, images: NDArray[np.uint8], tmp_path: Path) -> None:
    network = with_head(base, 5, 0.1, "any")
    network.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(reloaded(images), network(images))
    clone = keras.models.clone_model(network)
    clone.set_weights(network.get_weights())
    np.testing.assert_array_equal(clone(images), network(images))


def test_efficientnet_is_normalized_with_constants(images: NDArray[np.uint8]) -> None:
    base = base_of("EfficientNetB0", 32)
    seam = base.get_layer("stem_conv_pad").input
    normalized = keras.Model(base.input, seam)(images[:, :32, :32])
    expected = (images[:, :32, :32] / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(normalized, expected, rtol=1e-4, atol=1e-5)


def test_half_precision_leaves_the_pixels_alone() -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        base = base_of("MobileNetV3Small", 32)
    finally:
        keras.config.set_dtype_policy("float32")
    dtypes = {operation.name: str(operation.output.dtype) for operation in base.operations}
    assert (dtypes["preprocess"], dtypes["rescaling_1"]) == ("float32", "float32")
    assert dtypes["conv"] == dtypes[FEATURES] == "bfloat16"
