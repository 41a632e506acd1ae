"""Xception: what Keras' is compared with is in trainer/test_applications.py; here, what we add."""

from typing import Any

import keras
import numpy as np
import pytest

from models.trainer.architecture import ArchitectureOptions
from models.xception.model import ARCHITECTURE, build


@pytest.fixture(scope="module")
def network() -> Any:
    keras.utils.set_random_seed(0)
    return build(5, 71)


def test_it_answers_uint8_pixels_with_float32_logits(network: Any) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 71, 71, 3), np.uint8)
    logits = network(images)
    assert (logits.shape, logits.dtype) == ((2, 5), "float32")


def test_fine_tuning_begins_behind_the_last_halving(network: Any) -> None:
    names = [layer.name for layer in network.layers]
    design = ARCHITECTURE.design(ArchitectureOptions())
    start = next(number for number, name in enumerate(names) if name.startswith(design.fine_tune_from))
    assert names[start] == "block14_sepconv1"
    assert names.index("block13_pool") < start


def test_smaller_images_are_those_that_keras_refuses() -> None:
    assert ARCHITECTURE.design(ArchitectureOptions()).smallest_image == 71
    with pytest.raises(ValueError, match="at least 71"):
        build(5, 70)
