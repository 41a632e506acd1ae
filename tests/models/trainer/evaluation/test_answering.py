"""Whoever is asked, every image of a split is answered once, in the records' order."""

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from contracts.bundle import ModelBundle, Runtime
from contracts.dataset import ShardIndex
from models.trainer.evaluation.answering import answer_all, bundle_answer, judge_bundle, network_answer
from models.trainer.evaluation.calibration import tempered
from models.trainer.examples import read_examples


@pytest.fixture
def shards(tiny_records: Path) -> list[str]:
    """The training split's, which is answered in more than one batch."""
    return [str(tiny_records / "train-00000-of-00001.tfrecord")]


def test_every_image_is_answered_in_order(shards: list[str], tiny_bundle: Path) -> None:
    image = ModelBundle.read(str(tiny_bundle)).image
    sizes = []

    def brightness(pixels: Any) -> Any:
        assert (pixels.dtype, pixels.shape[1:]) == (np.uint8, (32, 32, 3))
        sizes.append(len(pixels))
        return pixels.mean(axis=(1, 2))[:, ::-1] / 255

    found = answer_all(brightness, shards, image, 60)
    assert len(sizes) > 1
    assert sum(sizes) == 60
    examples = list(read_examples(shards))
    assert found.filenames == [example.filename for example in examples]
    assert found.labels.tolist() == [example.label for example in examples]
    np.testing.assert_array_equal(found.predicted, found.labels)  # an image's own colour is its brightest


@pytest.mark.parametrize("runtime", get_args(Runtime))
def test_a_bundle_answers_as_its_network_at_its_temperature(
    runtime: Runtime, shards: list[str], tiny_bundle: Path, tiny_network: Any
) -> None:
    bundle = ModelBundle.read(str(tiny_bundle))
    network, served = (
        answer_all(answer, shards, bundle.image, 60).probabilities
        for answer in (network_answer(tiny_network), bundle_answer(tiny_bundle, runtime))
    )
    assert bundle.calibration.temperature != 1
    expected = tempered(network, bundle.calibration.temperature)
    np.testing.assert_allclose(served, expected, atol=1e-5 if runtime == "tensorflow" else 0.02)


def test_a_judgement_knows_its_split_and_the_temperature(
    shards: list[str], tiny_bundle: Path, tiny_records: Path
) -> None:
    bundle, index = ModelBundle.read(str(tiny_bundle)), ShardIndex.read(str(tiny_records))
    found = judge_bundle(tiny_bundle, bundle, "litert", index, "train", shards)
    assert (found.split, found.metrics.examples) == ("train", 60)
    assert found.metrics.temperature == bundle.calibration.temperature
