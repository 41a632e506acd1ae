"""How Optuna sees a parameter: a coordinate on an axis that it can model, which stands for a value.

A reverse logarithmic scale is a logarithmic one in the mirror; discrete values are their places in order, so
that neighbours are taken for neighbours.
"""

import itertools
import math
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from contracts.errors import InputError
from contracts.search_parameter import CategoricalValues, DiscreteValues, IntegerValues, Parameter, Value
from contracts.search_space import SearchSpace

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

LARGEST_GRID = 10_000
"""Combinations."""
DIGITS = 4
"""Significant ones of what is tried."""


class Axis:
    """A parameter."""

    def __init__(self, parameter: Parameter) -> None:
        self._values = parameter.values
        self._mirrored = parameter.scale_type == "UNIT_REVERSE_LOG_SCALE"
        self._log = parameter.bent

    @property
    def distribution(self) -> "BaseDistribution":
        """Of the coordinate."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        values = self._values
        if isinstance(values, CategoricalValues):
            return CategoricalDistribution(values.values)
        if isinstance(values, DiscreteValues):
            return IntDistribution(0, len(values.values) - 1)
        if isinstance(values, IntegerValues):
            return IntDistribution(values.min_value, values.max_value, log=self._log)
        return FloatDistribution(values.min_value, values.max_value, log=self._log)

    def value(self, coordinate: Any) -> Value:
        """What a coordinate stands for."""
        values = self._values
        if isinstance(values, CategoricalValues):
            return str(coordinate)
        if isinstance(values, DiscreteValues):
            return values.values[int(coordinate)]
        if isinstance(values, IntegerValues):
            return int(self._mirror(coordinate))
        # Digits that decide nothing would only be in the way of who reads or types them.
        value = round(self._mirror(float(f"{coordinate:.{DIGITS}g}")), 12)
        return min(max(value, values.min_value), values.max_value)

    def coordinate(self, value: Any) -> Any:
        """What stands for a value of the search space."""
        if isinstance(self._values, CategoricalValues):
            return str(value)
        if isinstance(self._values, DiscreteValues):
            return self._values.values.index(float(value))
        return self._mirror(value)

    def _mirror(self, number: float) -> float:
        if not self._mirrored or isinstance(self._values, CategoricalValues | DiscreteValues):
            return number
        return self._values.min_value + self._values.max_value - number


class Axes:
    """All parameters of a search space."""

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._axes = {parameter.parameter_id: Axis(parameter) for parameter in space.parameters}

    @property
    def distributions(self) -> "dict[str, BaseDistribution]":
        """What Optuna chooses from."""
        return {name: axis.distribution for name, axis in self._axes.items()}

    def values(self, coordinates: Mapping[str, Any]) -> dict[str, Value]:
        """What coordinates stand for, in the order of the search space."""
        return {
            name: axis.value(coordinates[name]) for name, axis in self._axes.items() if name in coordinates
        }

    def coordinates(self, values: Mapping[str, Value]) -> dict[str, Any]:
        """What stands for values."""
        return {name: self._axes[name].coordinate(value) for name, value in values.items()}

    def grid(self, first: Mapping[str, Value], seed: int) -> list[dict[str, Value]]:
        """Every combination once, in an order that the seed decides; `first` leads where it is one.

        Raises:
            InputError: there are too many.
        """
        listed = {parameter.parameter_id: _listed(parameter) for parameter in self._space.parameters}
        size = math.prod(len(values) for values in listed.values())
        if size > LARGEST_GRID:
            raise InputError(
                f"algorithm GRID_SEARCH has {size:,} combinations: list fewer values, or leave it out"
            )
        combinations = [
            dict(zip(listed, values, strict=True)) for values in itertools.product(*listed.values())
        ]
        random.Random(seed).shuffle(combinations)  # noqa: S311 - an order, not a secret
        return sorted(combinations, key=lambda values: values != dict(first))


def _listed(parameter: Parameter) -> list[Value]:
    if (whole := parameter.integer_value_spec) is not None:
        if whole.max_value - whole.min_value >= LARGEST_GRID:
            raise InputError(f"parameter {parameter.parameter_id} has too many values for GRID_SEARCH")
        return list(range(whole.min_value, whole.max_value + 1))
    return list(parameter.extremes)
