"""The measures against answers worked out by hand."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, top_k_accuracy_score

from contracts.errors import StageError
from models.trainer.evaluation.metrics import Metrics, bootstrap_interval, calibration_error, evaluate
from models.trainer.evaluation.predictions import Predictions


def test_a_worked_example() -> None:
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]], np.float32)
    metrics = evaluate(probabilities, np.array([0, 0, 1, 1]), ["a", "b"])
    assert metrics.accuracy == 0.75
    assert metrics.top5_accuracy == 1
    assert metrics.confusion == ((2, 0), (1, 1))
    assert metrics.balanced_accuracy == 0.75
    assert metrics.macro_f1 == pytest.approx((0.8 + 2 / 3) / 2)
    assert metrics.log_loss == pytest.approx(-np.log([0.9, 0.8, 0.7, 0.4]).mean(), rel=1e-5)
    assert [(pair.true, pair.predicted, pair.count, pair.share) for pair in metrics.most_confused] == [
        ("b", "a", 1, 0.5)
    ]
    row = metrics.per_class[1]
    assert (row.precision, row.recall, row.support) == (1, 0.5, 2)


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    probabilities = np.tile([0.8, 0.2], (10, 1))
    assert calibration_error(probabilities, np.array([0] * 8 + [1] * 2)) == pytest.approx(0)
    assert calibration_error(probabilities, np.array([0] * 5 + [1] * 5)) == pytest.approx(0.3)


def test_the_interval_holds_the_accuracy_narrows_and_repeats() -> None:
    wide, narrow = bootstrap_interval(0.9, 100, 0), bootstrap_interval(0.9, 10_000, 0)
    assert wide[0] < narrow[0] < 0.9 < narrow[1] < wide[1]
    # The normal approximation: 1.96 standard errors.
    assert narrow == pytest.approx((0.9 - 0.00588, 0.9 + 0.00588), abs=5e-4)
    assert wide == bootstrap_interval(0.9, 100, 0)


def test_a_class_without_images_counts_in_no_average_and_warns_of_nothing() -> None:
    probabilities = np.array([[0.9, 0.05, 0.05], [0.1, 0.2, 0.7]], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metrics = evaluate(probabilities, np.array([0, 0]), ["a", "b", "c"])
    assert metrics.balanced_accuracy == 0.5
    assert [row.support for row in metrics.per_class] == [2, 0, 0]


def test_a_diverged_network_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(StageError, match="learning-rate"):
        evaluate(np.full((2, 2), np.nan, np.float32), np.array([0, 1]), ["a", "b"])


def test_predictions_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match="expected n filenames"):
        Predictions(["a.png"], np.array([0, 1]), np.ones((2, 2), np.float32))


@settings(max_examples=40, deadline=None)
@given(classes=st.integers(2, 12), examples=st.integers(1, 60), seed=st.integers(0, 10_000))
def test_it_agrees_with_scikit_learn_for_any_answers(classes: int, examples: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, examples)
    probabilities = rng.dirichlet(np.ones(classes), examples).astype(np.float32)
    metrics = evaluate(probabilities, labels, [str(number) for number in range(classes)])
    predicted = probabilities.argmax(axis=1)
    assert metrics.accuracy == pytest.approx(accuracy_score(labels, predicted))
    assert np.sum(metrics.confusion) == examples
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert metrics.balanced_accuracy == pytest.approx(balanced_accuracy_score(labels, predicted))
        if classes > 5:
            top = top_k_accuracy_score(labels, probabilities, k=5, labels=range(classes))
            assert metrics.top5_accuracy == pytest.approx(top)
    assert Metrics.model_validate_json(metrics.model_dump_json()) == metrics
