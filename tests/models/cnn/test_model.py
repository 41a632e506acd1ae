"""The small baselines: every variant takes small images, learns, and reloads."""

import typing
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from models.cnn.model import ARCHITECTURE, Options, Variant

VARIANTS = typing.get_args(Variant)


@pytest.fixture(scope="module")
def digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """scikit-learn's handwritten ones: uint8 [1797, 8, 8, 3] and their labels."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    pixels = (images.reshape(-1, 8, 8, 1) * 15.9).astype(np.uint8)
    return np.repeat(pixels, 3, axis=3), labels


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_learns_handwritten_digits(variant: Any, digits: Any) -> None:
    images, labels = digits
    keras.utils.set_random_seed(0)
    design = ARCHITECTURE.design(Options(variant=variant))
    network = design.build(10, 8, 0.2)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(design.learning_rate), loss, metrics=["accuracy"])
    network.fit(images[:1400], labels[:1400], batch_size=64, epochs=6, verbose=0)
    accuracy = network.evaluate(images[1400:], labels[1400:], verbose=0)[1]
    assert accuracy > (0.8 if variant == "linear" else 0.87)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("size", [8, 28])
def test_a_variant_is_the_same_after_saving(variant: Any, size: int, tmp_path: Path) -> None:
    network = ARCHITECTURE.design(Options(variant=variant)).build(3, size, 0.2)
    images = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), np.uint8)
    assert len(network.get_layer("features").output.shape) == 2
    network.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "model.keras")(images), network(images))
