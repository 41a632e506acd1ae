"""What a study suggests: the defaults first, then the grid's points or random ones, the same every time."""

import itertools
import math
import random
from collections.abc import Iterator
from typing import Any

from rehearsal.vertex_ai.errors import invalid, require

Point = dict[str, object]


def check_study(study: Any) -> None:
    """Refuse a StudySpec that no search can be made of."""
    require(study.metrics, "Required field study_spec.metrics is not set.")
    for metric in study.metrics:
        require(metric.metric_id and metric.goal, "study_spec.metrics: metric_id and goal are required")
    require(study.parameters, "Required field study_spec.parameters is not set.")
    for parameter in study.parameters:
        _check_parameter(parameter)
        require(
            study.algorithm.name != "GRID_SEARCH" or "double_value_spec" not in parameter,
            "GRID_SEARCH takes no double_value_spec",
        )


def suggestions(study: Any, seed: int = 0) -> Iterator[Point]:
    """Give one point after the other: float, int or str by parameter id; a grid ends, the rest doesn't."""
    if study.algorithm.name == "GRID_SEARCH":
        axes = [
            [(parameter.parameter_id, value) for value in _values(parameter)]
            for parameter in study.parameters
        ]
        yield from (dict(point) for point in itertools.product(*axes))
        return
    generator = random.Random(seed)  # noqa: S311
    if study.algorithm.name != "RANDOM_SEARCH":
        yield _point(study.parameters, lambda parameter: _default(parameter))
    while True:
        yield _point(study.parameters, lambda parameter: _draw(parameter, generator))


def _point(parameters: Any, choose: Any) -> Point:
    """Choose a value for each parameter, and for those that hang on what was chosen."""
    point: Point = {}
    for parameter in parameters:
        value = choose(parameter)
        point[parameter.parameter_id] = value
        active = [
            child.parameter_spec
            for child in parameter.conditional_parameter_specs
            if value in _parent_values(child)
        ]
        point |= _point(active, choose)
    return point


def _parent_values(child: Any) -> list[object]:
    for kind in ("parent_categorical_values", "parent_discrete_values", "parent_int_values"):
        if kind in child:
            return list(getattr(child, kind).values)
    return []


def _check_parameter(parameter: Any) -> None:
    where = f"study_spec.parameters[{parameter.parameter_id}]"
    require(parameter.parameter_id, "study_spec.parameters: parameter_id is required")
    kind, spec = _spec(parameter)
    if kind in ("double", "integer"):
        require(spec.min_value <= spec.max_value, f"{where}: min_value is above max_value")
        require(
            parameter.scale_type.name not in ("UNIT_LOG_SCALE", "UNIT_REVERSE_LOG_SCALE")
            or spec.min_value > 0,
            f"{where}: a logarithmic scale needs min_value above 0",
        )
        return
    values = list(spec.values)
    require(values, f"{where}: values are required")
    require(len(set(values)) == len(values), f"{where}: values are given twice")
    require(kind == "categorical" or values == sorted(values), f"{where}: discrete values must ascend")


def _spec(parameter: Any) -> tuple[str, Any]:
    for kind in ("double", "integer", "categorical", "discrete"):
        if f"{kind}_value_spec" in parameter:
            return kind, getattr(parameter, f"{kind}_value_spec")
    raise invalid(f"study_spec.parameters[{parameter.parameter_id}]: one of the value specs is required")


def _values(parameter: Any) -> list[object]:
    kind, spec = _spec(parameter)
    return list(range(spec.min_value, spec.max_value + 1)) if kind == "integer" else list(spec.values)


def _default(parameter: Any) -> object:
    kind, spec = _spec(parameter)
    if "default_value" in spec:
        value: object = spec.default_value
        return value
    if kind in ("double", "integer"):
        return _scaled(parameter, 0.5)
    return spec.values[len(spec.values) // 2]


def _draw(parameter: Any, generator: random.Random) -> object:
    kind, _ = _spec(parameter)
    if kind == "double":
        return _scaled(parameter, generator.random())
    if kind == "integer" and parameter.scale_type.name == "UNIT_LOG_SCALE":
        return _scaled(parameter, generator.random())
    return generator.choice(_values(parameter))


def _scaled(parameter: Any, part: float) -> object:
    """The value at a part of the way from the least to the greatest, on the parameter's scale."""
    kind, spec = _spec(parameter)
    low, high = spec.min_value, spec.max_value
    value: float
    if parameter.scale_type.name == "UNIT_LOG_SCALE":
        value = math.exp(math.log(low) + part * (math.log(high) - math.log(low)))
    elif parameter.scale_type.name == "UNIT_REVERSE_LOG_SCALE":
        value = high + low - math.exp(math.log(high) - part * (math.log(high) - math.log(low)))
    else:
        value = low + part * (high - low)
    value = min(max(value, low), high)
    return round(value) if kind == "integer" else value
