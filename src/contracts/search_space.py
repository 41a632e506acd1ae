"""What a study searches: the form of a Vertex AI HyperparameterTuningJob, which tunes here and in the cloud.

    studySpec:
      metrics: [{metricId: val_accuracy, goal: MAXIMIZE}]
      parameters:
        - {parameterId: dropout, doubleValueSpec: {minValue: 0.1, maxValue: 0.5}, scaleType: UNIT_LOG_SCALE}
    maxTrialCount: 12
    parallelTrialCount: 2

Keys may be in snake_case, as gcloud writes them. The older hyperparam.yaml of ML Engine is read as well
(`contracts.hyperparam_yaml`).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self

import yaml
from pydantic import (
    ConfigDict,
    Field,
    FiniteFloat,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from contracts import storage
from contracts.documents import Part
from contracts.errors import InputError
from contracts.hyperparam_yaml import Older, older_block

Goal = Literal["MAXIMIZE", "MINIMIZE"]
Scale = Literal["UNIT_LINEAR_SCALE", "UNIT_LOG_SCALE", "UNIT_REVERSE_LOG_SCALE"]
Value = float | int | str

NOT_OURS = ("displayName", "display_name", "labels", "trialJobSpec", "trial_job_spec")
"""Keys of a whole job that say nothing of the search; whoever sends the job fills them."""


class _Spec(Part):
    """A message of the form: its keys are in camelCase, and snake_case is understood."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Metric(_Spec):
    """What is looked at."""

    metric_id: str = Field(min_length=1)
    goal: Goal


class DoubleValues(_Spec):
    """All numbers from one to another."""

    min_value: FiniteFloat
    max_value: FiniteFloat
    default_value: FiniteFloat | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_range(self.min_value, self.max_value, self.default_value)
        return self


class IntegerValues(_Spec):
    """All whole numbers from one to another."""

    min_value: int
    max_value: int
    default_value: int | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_range(self.min_value, self.max_value, self.default_value)
        return self


class DiscreteValues(_Spec):
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


class CategoricalValues(_Spec):
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


class Parameter(_Spec):
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


class Stopping(_Spec):
    """How bad trials are stopped early."""

    use_elapsed_duration: bool | None = None


class StudySpec(_Spec):
    """`studySpec`."""

    metrics: tuple[Metric, ...]
    parameters: tuple[Parameter, ...] = Field(min_length=1)
    algorithm: Literal["ALGORITHM_UNSPECIFIED", "GRID_SEARCH", "RANDOM_SEARCH"] | None = None
    observation_noise: Literal["OBSERVATION_NOISE_UNSPECIFIED", "LOW", "HIGH"] | None = None
    measurement_selection_type: (
        Literal["MEASUREMENT_SELECTION_TYPE_UNSPECIFIED", "LAST_MEASUREMENT", "BEST_MEASUREMENT"] | None
    ) = None
    median_automated_stopping_spec: Stopping | None = None
    decay_curve_stopping_spec: Stopping | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.metrics) != 1:
            raise ValueError(f"metrics: expected one, got {len(self.metrics)}")
        names = [parameter.parameter_id for parameter in self.parameters]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"parameters: {twice[0]} stands there twice")
        if self.algorithm == "GRID_SEARCH":
            for parameter in self.parameters:
                if parameter.double_value_spec:
                    raise ValueError(
                        f"algorithm GRID_SEARCH needs values that can be counted: {parameter.parameter_id} "
                        "has a doubleValueSpec, make it a discreteValueSpec"
                    )
        if self.median_automated_stopping_spec and self.decay_curve_stopping_spec:
            raise ValueError("expected one of medianAutomatedStoppingSpec and decayCurveStoppingSpec")
        return self


class SearchSpace(_Spec):
    """The file: `studySpec` with the numbers that stand beside it in a HyperparameterTuningJob."""

    study_spec: StudySpec
    max_trial_count: PositiveInt = 12
    parallel_trial_count: PositiveInt = 1
    max_failed_trial_count: NonNegativeInt = Field(
        default=0, description="after which the study ends; 0: whoever runs it decides"
    )

    @property
    def metric(self) -> Metric:
        """What is looked at."""
        return self.study_spec.metrics[0]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What is tried out."""
        return self.study_spec.parameters

    @classmethod
    def read(cls, uri: str) -> Self:
        """Read a file of either form: a path or gs://.

        Raises:
            InputError: it isn't there, or there is a mistake in it.
        """
        try:
            text = storage.read_bytes(uri)
        except (storage.NotFoundError, OSError) as error:
            raise InputError(f"the search space {uri} can't be read: {error}") from None
        return cls.parse(text, uri)

    @classmethod
    def parse(cls, text: bytes, uri: str) -> Self:
        """Read YAML; `uri` is for the message where it is bad."""
        try:
            content = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise InputError(f"{uri} isn't YAML: {' '.join(str(error).split())}") from None
        if not isinstance(content, dict):
            raise InputError(f"{uri}: expected studySpec, or trainingInput.hyperparameters, got {content!r}")
        block = older_block(content)
        try:
            if block is not None:
                content = Older.model_validate(block).as_vertex()
            return cls.model_validate({key: content[key] for key in content if key not in NOT_OURS})
        except ValidationError as error:
            raise InputError(f"{uri}: {_first_mistake(error, block or content)}") from None

    def to_study_spec(self) -> dict[str, Any]:
        """The `studySpec` of a HyperparameterTuningJob, as its JSON has it."""
        return self.study_spec.model_dump(mode="json", by_alias=True, exclude_none=True)

    def to_job(self) -> dict[str, Any]:
        """All that a HyperparameterTuningJob has of the search, as its JSON has it."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


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


def _first_mistake(error: ValidationError, content: Any) -> str:
    # A key that is misspelt is missing as well: the spelling is what to tell.
    first = min(error.errors(), key=lambda mistake: mistake["type"] != "extra_forbidden")
    where = "".join(_path(first["loc"], content)).lstrip(".")
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "there is no such key; is it misspelt?"
    return f"{where}: {message}" if where else message


def _path(location: tuple[int | str, ...], content: Any) -> Iterator[str]:
    """The location as people write it, with the name of a parameter behind its number."""
    for part in location:
        yield f"[{part}]" if isinstance(part, int) else f".{part}"
        try:
            content = content[part]
        except (KeyError, IndexError, TypeError):
            content = None
        if isinstance(part, int) and isinstance(content, Mapping):
            keys = ("parameterId", "parameter_id", "parameterName")
            if name := next((content[key] for key in keys if key in content), None):
                yield f" ({name})"
