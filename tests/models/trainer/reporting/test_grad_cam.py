"""Grad-CAM on networks whose answer is known to come from one corner, and on each architecture."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from models.cnn.model import build as cnn
from models.keras_applications.model import build as application
from models.trainer.reporting.grad_cam import grad_cam
from models.vgg16.model import build as vgg16
from models.xception.model import build as xception

SIZE = 24
CORNER = slice(14, 22)


@pytest.fixture(scope="module")
def images() -> tuple[Any, Any]:
    """Noise with a red (1) or blue (0) patch in the lower right: uint8 [96, 24, 24, 3], int [96]."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 120, (96, SIZE, SIZE, 3), np.uint8)
    labels = rng.integers(0, 2, 96)
    pixels[:, CORNER, CORNER] = np.where(labels[:, None, None, None] == 1, (255, 0, 0), (0, 0, 255))
    return pixels, labels


@pytest.fixture(scope="module")
def trained(images: tuple[Any, Any]) -> keras.Model:
    keras.utils.set_random_seed(0)
    network = cnn("conv-deep", 2, SIZE)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(0.01), loss)
    network.fit(*images, batch_size=16, epochs=8, verbose=0)
    return network


@pytest.mark.parametrize("frozen", [False, True])
def test_the_heat_lies_where_the_class_is_told(
    trained: keras.Model, images: tuple[Any, Any], frozen: bool
) -> None:
    pixels, labels = images
    assert (np.asarray(trained(pixels)).argmax(axis=1) == labels).mean() > 0.95
    trained.trainable = not frozen
    heat = grad_cam(trained, pixels, labels)
    trained.trainable = True
    assert heat is not None
    assert heat.shape == (96, SIZE, SIZE)
    corner = heat[:, CORNER, CORNER].mean(axis=(1, 2))
    elsewhere = heat[:, :12, :12].mean(axis=(1, 2))
    assert np.median(corner) > 3 * np.median(elsewhere)


@pytest.mark.parametrize(
    ("build", "size"),
    [
        (lambda size: cnn("conv", 3, size), 28),
        (lambda size: cnn("conv-deep", 3, size), 8),
        (lambda size: vgg16(3, size), 32),
        (lambda size: xception(3, size), 71),
        (lambda size: application("MobileNet", {"alpha": 0.25}, 3, size, 0.0), 64),
    ],
    ids=["conv", "conv-deep at 8", "vgg16", "xception", "mobilenet"],
)
def test_every_architecture_has_maps(build: Callable[[int], keras.Model], size: int) -> None:
    keras.utils.set_random_seed(0)
    pixels = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), np.uint8)
    heat = grad_cam(build(size), pixels, np.array([0, 2]))
    assert heat is not None
    assert heat.shape == (2, size, size)
    assert np.isfinite(heat).all()
    assert heat.min() >= 0
    # One map may be 0 all over, where nothing speaks for the class; untrained as they are, not both.
    assert heat.max() == 1


@pytest.mark.parametrize("variant", ["linear", "dnn"])
def test_a_network_without_convolutions_has_none(variant: Any) -> None:
    pixels = np.zeros((1, 8, 8, 3), np.uint8)
    assert grad_cam(cnn(variant, 3, 8), pixels, np.array([0])) is None
