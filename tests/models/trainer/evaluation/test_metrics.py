"""The measures against answers worked out by hand."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    roc_auc_score,
    top_k_accuracy_score,
)

from contracts.errors import StageError
from models.trainer.evaluation.bootstrap import accuracy_interval, macro_f1_interval
from models.trainer.evaluation.calibration import tempered
from models.trainer.evaluation.metrics import Metrics, evaluate


def test_a_worked_example() -> None:
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]], np.float32)
    metrics = evaluate(probabilities, np.array([0, 0, 1, 1]), ["a", "b"])
    assert metrics.accuracy == 0.75
    assert metrics.top5_accuracy == 1
    assert metrics.confusion == ((2, 0), (1, 1))
    assert metrics.balanced_accuracy == 0.75
    assert metrics.macro_f1 == pytest.approx((0.8 + 2 / 3) / 2)
    assert metrics.weighted_f1 == pytest.approx((0.8 + 2 / 3) / 2)
    assert metrics.roc_auc == 1, "every image of b is likelier b than every image of a"
    assert metrics.brier == pytest.approx(2 * np.mean([0.01, 0.04, 0.09, 0.36]), rel=1e-5)
    assert metrics.log_loss == pytest.approx(-np.log([0.9, 0.8, 0.7, 0.4]).mean(), rel=1e-5)
    assert [(pair.true, pair.predicted, pair.count, pair.share) for pair in metrics.most_confused] == [
        ("b", "a", 1, 0.5)
    ]
    row = metrics.per_class[1]
    assert (row.precision, row.recall, row.support) == (1, 0.5, 2)


def test_the_interval_holds_the_accuracy_narrows_and_repeats() -> None:
    wide, narrow = accuracy_interval(0.9, 100, 0), accuracy_interval(0.9, 10_000, 0)
    assert wide[0] < narrow[0] < 0.9 < narrow[1] < wide[1]
    # The normal approximation: 1.96 standard errors.
    assert narrow == pytest.approx((0.9 - 0.00588, 0.9 + 0.00588), abs=5e-4)
    assert wide == accuracy_interval(0.9, 100, 0)


def test_the_interval_of_f1_is_that_of_resampled_images() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 200)
    predicted = np.where(rng.random(200) < 0.8, labels, rng.integers(0, 3, 200))
    low, high = macro_f1_interval(confusion_matrix(labels, predicted), 0)
    draws = rng.integers(0, 200, (400, 200))
    scores = [f1_score(labels[draw], predicted[draw], average="macro") for draw in draws]
    assert (low, high) == pytest.approx(tuple(np.quantile(scores, [0.025, 0.975])), abs=0.015)


def test_what_was_so_before_the_temperature_is_told_too() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 300)
    probabilities = rng.dirichlet(np.ones(4), 300).astype(np.float32)
    names = ["a", "b", "c", "d"]
    before = evaluate(probabilities, labels, names)
    after = evaluate(tempered(probabilities, 2.5), labels, names, temperature=2.5)
    assert before.uncalibrated.ece == pytest.approx(before.ece, abs=1e-6)
    assert after.uncalibrated.log_loss == pytest.approx(before.log_loss, rel=1e-4)
    assert after.uncalibrated.brier == pytest.approx(before.brier, rel=1e-4)
    assert after.uncalibrated.ece == pytest.approx(before.ece, abs=0.01)
    assert (after.accuracy, after.confusion) == (before.accuracy, before.confusion)
    told = after.headline()
    assert told["temperature"] == 2.5
    assert told["ece_uncalibrated"] == after.uncalibrated.ece != told["ece"]


def test_a_class_without_images_counts_in_no_average_and_warns_of_nothing() -> None:
    probabilities = np.array([[0.9, 0.05, 0.05], [0.1, 0.2, 0.7]], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metrics = evaluate(probabilities, np.array([0, 0]), ["a", "b", "c"])
    assert metrics.balanced_accuracy == 0.5
    assert [row.support for row in metrics.per_class] == [2, 0, 0]
    assert metrics.roc_auc is None
    assert "roc_auc" not in metrics.headline()


def test_a_diverged_network_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(StageError, match="learning-rate"):
        evaluate(np.full((2, 2), np.nan, np.float32), np.array([0, 1]), ["a", "b"])


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
        if len(np.unique(labels)) == classes > 2:
            auc = roc_auc_score(labels, probabilities.astype(float), multi_class="ovr")
            assert metrics.roc_auc == pytest.approx(auc, abs=1e-6)
        if classes > 5:
            top = top_k_accuracy_score(labels, probabilities, k=5, labels=range(classes))
            assert metrics.top5_accuracy == pytest.approx(top)
    assert Metrics.model_validate_json(metrics.model_dump_json()) == metrics
