"""The temperature: what it changes, what it is found to be, and what confidence is worth behind it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from models.trainer.evaluation.calibration import HIGHEST, LOWEST, fit_temperature, tempered
from models.trainer.evaluation.reliability import calibration_error, reliability


@settings(max_examples=40, deadline=None)
@given(
    classes=st.integers(2, 9),
    temperature=st.floats(0.3, 10),
    spread=st.floats(0.1, 4),
    seed=st.integers(0, 9_999),
)
def test_tempering_is_dividing_logits_and_is_undone(
    classes: int, temperature: float, spread: float, seed: int
) -> None:
    logits = np.random.default_rng(seed).normal(0, spread, (20, classes))
    probabilities = softmax(logits, axis=1).astype(np.float32)
    answers = tempered(probabilities, temperature)
    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers, softmax(logits / temperature, axis=1), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(answers.argmax(axis=1), probabilities.argmax(axis=1))
    np.testing.assert_allclose(tempered(answers, 1 / temperature), probabilities, rtol=1e-4, atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(classes=st.integers(2, 9), temperature=st.floats(0.3, 5), seed=st.integers(0, 9_999))
def test_a_known_temperature_is_found(classes: int, temperature: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (8_000, classes))
    right = softmax(logits, axis=1)
    labels = (right.cumsum(axis=1) < rng.random((len(right), 1))).sum(axis=1).clip(max=classes - 1)
    told = softmax(logits * temperature, axis=1).astype(np.float32)
    assert fit_temperature(told, labels) == pytest.approx(temperature, rel=0.1)


@settings(max_examples=40, deadline=None)
@given(
    sure=st.sampled_from([0.0, 1e-9, 0.01, 0.3]),
    images=st.integers(1, 50),
    wrong=st.integers(0, 2),
    classes=st.integers(2, 5),
)
def test_the_temperature_is_bounded_whatever_the_answers(
    sure: float, images: int, wrong: int, classes: int
) -> None:
    labels = np.zeros(images, int)
    probabilities = np.full((images, classes), sure / (classes - 1), np.float32)
    probabilities[:, 0] = 1 - sure
    probabilities[:wrong] = np.roll(probabilities[:wrong], 1, axis=1)
    found = fit_temperature(probabilities, labels)
    assert LOWEST <= found <= HIGHEST
    served = tempered(probabilities, found)
    assert np.isfinite(served).all()
    if not wrong:  # without a mistake it is made surer, but no more than so few images can tell
        assert 0.1 < found < 1.01


@settings(max_examples=40, deadline=None)
@given(images=st.integers(1, 80), classes=st.integers(2, 6), seed=st.integers(0, 9_999))
def test_the_bins_hold_every_answer_once(images: int, classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(classes), images)
    labels = rng.integers(0, classes, images)
    bins = reliability(probabilities, labels)
    confidence = probabilities.max(axis=1)
    assert sum(found.count for found in bins) == images
    assert all(found.low <= found.confidence <= found.high for found in bins)
    assert sum(found.count * found.confidence for found in bins) == pytest.approx(confidence.sum())
    right = probabilities.argmax(axis=1) == labels
    assert sum(found.count * found.accuracy for found in bins) == pytest.approx(right.sum())
    assert abs(confidence.mean() - right.mean()) - 1e-9 <= calibration_error(bins) <= 1


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    probabilities = np.tile([0.8, 0.2], (10, 1))
    for wrong, gap in ((2, 0), (5, 0.3)):
        labels = np.array([0] * (10 - wrong) + [1] * wrong)
        assert calibration_error(reliability(probabilities, labels)) == pytest.approx(gap)
