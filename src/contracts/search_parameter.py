"""A parameter of a search: its name, what it may be, and the scale on which that is spread."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, FiniteFloat, field_validator, model_validator
from pydantic.alias_generators import to_camel

from contracts.documents import Part

Scale = Literal["UNIT_LINEAR_SCALE", "UNIT_LOG_SCALE", "UNIT_REVERSE_LOG_SCALE"]
Value = float | int | str


class Spec(Part):
    """A message of Vertex AI's form: its keys are in camelCase, and snake_case is understood."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class DoubleValues(Spec):
    """All numbers from one to another."""

    min_value: FiniteFloat
    max_value: FiniteFloat
    default_value: FiniteFloat | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_range(self.min_value, self.max_value, self.default_value)
        return self


class IntegerValues(Spec):
    """All whole numbers from one to another."""

    min_value: int
    max_value: int
    default_value: int | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_range(self.min_value, self.max_value, self.default_value)
        return self


class DiscreteValues(Spec):
    """Some numbers, which have an order."""

    values: tuple[FiniteFloat, ...] = Field(min_length=1)
    default_value: FiniteFloat | None = None

    @field_validator("values")
    @classmethod
    def _sort(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(sorted(values))

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_listed(self.values, self.default_value)
        return self


class CategoricalValues(Spec):
    """Some names; numbers and truth values become names as YAML reads them."""

    values: tuple[str, ...] = Field(min_length=1)
    default_value: str | None = None

    @field_validator("values", mode="before")
    @classmethod
    def _name_all(cls, values: Any) -> Any:
        return [_name(value) for value in values] if isinstance(values, list | tuple) else values

    @field_validator("default_value", mode="before")
    @classmethod
    def _name_default(cls, value: Any) -> Any:
        return _name(value)

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_listed(self.values, self.default_value)
        return self


Values = DoubleValues | IntegerValues | DiscreteValues | CategoricalValues


class Parameter(Spec):
    """One thing that is tried out: exactly one of the four kinds of values."""

    parameter_id: str = Field(min_length=1)
    double_value_spec: DoubleValues | None = None
    integer_value_spec: IntegerValues | None = None
    discrete_value_spec: DiscreteValues | None = None
    categorical_value_spec: CategoricalValues | None = None
    scale_type: Scale | None = None

    @field_validator("scale_type", mode="before")
    @classmethod
    def _scale_said(cls, scale: Any) -> Any:
        return None if scale == "SCALE_TYPE_UNSPECIFIED" else scale

    @model_validator(mode="before")
    @classmethod
    def _refuse_conditions(cls, keys: Any) -> Any:
        for key in ("conditionalParameterSpecs", "conditional_parameter_specs"):
            if isinstance(keys, Mapping) and keys.get(key):
                raise ValueError(f"{key} isn't supported: list its parameters beside the others")
        return keys

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [spec for spec in self._specs() if spec is not None]
        if len(given) != 1:
            raise ValueError(
                "expected one of integerValueSpec, doubleValueSpec, discreteValueSpec and "
                f"categoricalValueSpec, got {len(given)} of them"
            )
        if self.scale_type and isinstance(self.values, CategoricalValues):
            raise ValueError("scaleType is for numbers: leave it out with categoricalValueSpec")
        if self.bent and self.lowest <= 0:
            raise ValueError(f"scaleType {self.scale_type} needs values above 0, got {self.lowest:g}")
        return self

    @property
    def values(self) -> Values:
        """What it may be."""
        return next(spec for spec in self._specs() if spec is not None)

    @property
    def bent(self) -> bool:
        """Whether its scale isn't linear."""
        return self.scale_type in ("UNIT_LOG_SCALE", "UNIT_REVERSE_LOG_SCALE")

    @property
    def lowest(self) -> float:
        """The smallest number that it may be."""
        if isinstance(self.values, DiscreteValues):
            return self.values.values[0]
        return 0.0 if isinstance(self.values, CategoricalValues) else self.values.min_value

    @property
    def extremes(self) -> tuple[Value, ...]:
        """The values that show whether all are acceptable: both ends of a range, or each that is listed."""
        values = self.values
        if isinstance(values, DiscreteValues | CategoricalValues):
            return values.values
        return tuple(dict.fromkeys([values.min_value, values.max_value]))

    def _specs(self) -> tuple[Values | None, ...]:
        return (
            self.double_value_spec,
            self.integer_value_spec,
            self.discrete_value_spec,
            self.categorical_value_spec,
        )


def _check_range(lowest: float, highest: float, default: float | None) -> None:
    if lowest > highest:
        raise ValueError(f"minValue {lowest:g} is above maxValue {highest:g}")
    if default is not None and not lowest <= default <= highest:
        raise ValueError(f"defaultValue {default:g} isn't between {lowest:g} and {highest:g}")


def _check_listed(values: tuple[Any, ...], default: Any) -> None:
    if len(set(values)) < len(values):
        raise ValueError("a value stands in values twice")
    if default is not None and default not in values:
        raise ValueError(f"defaultValue {default} isn't among the values")


def _name(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value
