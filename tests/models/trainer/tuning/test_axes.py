"""A parameter's scale: values stay within, come back, and lie where the scale says."""

import math
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import InputError
from contracts.search_parameter import Parameter
from contracts.search_space import SearchSpace
from models.trainer.tuning.axes import Axes, Axis

LINEAR, LOG, REVERSE = "UNIT_LINEAR_SCALE", "UNIT_LOG_SCALE", "UNIT_REVERSE_LOG_SCALE"


def doubles(lowest: float, highest: float, scale: str) -> Axis:
    spec = {"minValue": lowest, "maxValue": highest}
    return Axis(Parameter.model_validate({"parameterId": "p", "doubleValueSpec": spec, "scaleType": scale}))


def space(algorithm: str, *parameters: dict[str, Any]) -> SearchSpace:
    metrics = [{"metricId": "val_accuracy", "goal": "MAXIMIZE"}]
    study = {"metrics": metrics, "parameters": parameters, "algorithm": algorithm}
    return SearchSpace.model_validate({"studySpec": study})


@settings(deadline=None, max_examples=60)
@given(
    st.floats(1e-6, 1e3),
    st.floats(1.0, 1e5),
    st.sampled_from([LINEAR, LOG, REVERSE]),
    st.integers(0, 2**31),
)
def test_what_is_tried_lies_within(lowest: float, ratio: float, scale: str, seed: int) -> None:
    highest = lowest * ratio
    axis = doubles(lowest, highest, scale)
    distribution = axis.distribution
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed))
    coordinate = study.ask({"p": distribution}).params["p"]
    value = axis.value(coordinate)
    assert isinstance(value, float)
    assert lowest <= value <= highest
    assert distribution._contains(axis.coordinate(value)) or math.isclose(ratio, 1, rel_tol=1e-3)


@pytest.mark.parametrize("scale", [LINEAR, LOG, REVERSE])
def test_the_middle_of_a_scale_is_where_its_name_says(scale: str) -> None:
    axis = doubles(0.001, 0.999, scale)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    asked = [study.ask({"p": axis.distribution}).params["p"] for _ in range(300)]
    middle = sorted(float(axis.value(coordinate)) for coordinate in asked)[150]
    expected = {LINEAR: 0.5, LOG: 0.0316, REVERSE: 0.9684}[scale]
    assert middle == pytest.approx(expected, abs=0.08)


@given(st.integers(1, 500), st.integers(0, 500), st.sampled_from([None, LINEAR, LOG, REVERSE]), st.data())
def test_whole_numbers_come_back(lowest: int, more: int, scale: str | None, data: st.DataObject) -> None:
    spec = {"minValue": lowest, "maxValue": lowest + more}
    axis = Axis(Parameter.model_validate({"parameterId": "p", "integerValueSpec": spec, "scaleType": scale}))
    value = data.draw(st.integers(lowest, lowest + more))
    assert axis.value(axis.coordinate(value)) == value
    assert axis.distribution._contains(axis.coordinate(value))


def test_listed_values_come_back() -> None:
    axes = Axes(
        space(
            "RANDOM_SEARCH",
            {"parameterId": "batch_size", "discreteValueSpec": {"values": [64, 16]}},
            {"parameterId": "flip", "categoricalValueSpec": {"values": [True, False]}},
        )
    )
    chosen = {"batch_size": 64.0, "flip": "false"}
    assert axes.coordinates(chosen) == {"batch_size": 1, "flip": "false"}
    assert axes.values(axes.coordinates(chosen)) == chosen


def test_a_grid_has_every_combination_once_and_the_default_first() -> None:
    searched = space(
        "GRID_SEARCH",
        {"parameterId": "batch_size", "discreteValueSpec": {"values": [16, 32, 64]}},
        {"parameterId": "epochs", "integerValueSpec": {"minValue": 1, "maxValue": 2}},
    )
    first = {"batch_size": 32.0, "epochs": 2}
    grid = Axes(searched).grid(first, seed=0)
    assert grid[0] == first
    assert len({tuple(values.items()) for values in grid}) == len(grid) == 6
    assert grid == Axes(searched).grid(first, seed=0)


def test_a_grid_that_never_ends_is_refused() -> None:
    listed = {"values": list(range(200))}
    searched = space(
        "GRID_SEARCH", *({"parameterId": name, "discreteValueSpec": listed} for name in ("a", "b"))
    )
    with pytest.raises(InputError, match="40,000 combinations"):
        Axes(searched).grid({}, seed=0)
