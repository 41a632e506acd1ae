"""The older form of a search: the `hyperparam.yaml` of ML Engine, turned into that of Vertex AI.

trainingInput:
  hyperparameters:
    goal: MAXIMIZE
    hyperparameterMetricTag: val_accuracy
    maxTrials: 12
    maxParallelTrials: 2
    params:
      - {parameterName: dropout, type: DOUBLE, minValue: 0.1, maxValue: 0.5, scaleType: UNIT_LINEAR_SCALE}
"""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, NonNegativeInt, PositiveInt, field_validator, model_validator
from pydantic.alias_generators import to_camel

from contracts.documents import Part

METRIC = "val_accuracy"
"""What `hyperparameterMetricTag` is by default."""

_KINDS = {
    "INTEGER": ("integerValueSpec", ("minValue", "maxValue")),
    "DOUBLE": ("doubleValueSpec", ("minValue", "maxValue")),
    "DISCRETE": ("discreteValueSpec", ("discreteValues",)),
    "CATEGORICAL": ("categoricalValueSpec", ("categoricalValues",)),
}
"""A `type` to the name of its values in the newer form, and to the keys that it must have."""


class _Older(Part):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class OlderParameter(_Older):
    """An entry of `params`."""

    parameter_name: str = Field(min_length=1)
    type: Literal["INTEGER", "DOUBLE", "DISCRETE", "CATEGORICAL"]
    min_value: float | None = None
    max_value: float | None = None
    discrete_values: tuple[float, ...] | None = None
    categorical_values: tuple[Any, ...] | None = None
    scale_type: Literal["UNIT_LINEAR_SCALE", "UNIT_LOG_SCALE", "UNIT_REVERSE_LOG_SCALE"] | None = None

    @field_validator("scale_type", mode="before")
    @classmethod
    def _scale_said(cls, scale: Any) -> Any:
        return None if scale == "NONE" else scale

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = self.model_dump(by_alias=True, exclude_none=True)
        _, wanted = _KINDS[self.type]
        for key in wanted:
            if key not in given:
                raise ValueError(f"type {self.type} needs {' and '.join(wanted)}, and {key} is missing")
        for key in ("minValue", "maxValue", "discreteValues", "categoricalValues"):
            if key in given and key not in wanted:
                raise ValueError(f"{key} isn't for type {self.type}: leave it out")
        return self

    def as_vertex(self) -> dict[str, Any]:
        """The same as an entry of `studySpec.parameters`."""
        given = self.model_dump(by_alias=True, exclude_none=True)
        spec, keys = _KINDS[self.type]
        values = {key if key.startswith("m") else "values": given[key] for key in keys}
        scale = {"scaleType": self.scale_type} if self.scale_type else {}
        return {"parameterId": self.parameter_name, spec: values, **scale}


class Older(_Older):
    """`trainingInput.hyperparameters`."""

    goal: Literal["MAXIMIZE", "MINIMIZE"]
    params: tuple[OlderParameter, ...] = Field(min_length=1)
    hyperparameter_metric_tag: str = METRIC
    max_trials: PositiveInt = 1
    max_parallel_trials: PositiveInt = 1
    max_failed_trials: NonNegativeInt = 0
    enable_trial_early_stopping: bool = False
    algorithm: Literal["ALGORITHM_UNSPECIFIED", "GRID_SEARCH", "RANDOM_SEARCH"] | None = None

    def as_vertex(self) -> dict[str, Any]:
        """The same in the newer form."""
        study: dict[str, Any] = {
            "metrics": [{"metricId": self.hyperparameter_metric_tag, "goal": self.goal}],
            "parameters": [parameter.as_vertex() for parameter in self.params],
        }
        if self.algorithm:
            study["algorithm"] = self.algorithm
        if self.enable_trial_early_stopping:
            study["medianAutomatedStoppingSpec"] = {}
        return {
            "studySpec": study,
            "maxTrialCount": self.max_trials,
            "parallelTrialCount": self.max_parallel_trials,
            "maxFailedTrialCount": self.max_failed_trials,
        }


def older_block(content: Mapping[str, Any]) -> Any:
    """The part of a file that is in the older form; None where it is in the newer one."""
    training = content.get("trainingInput")
    if isinstance(training, Mapping):
        return training.get("hyperparameters") or {}
    if "hyperparameters" in content:
        return content["hyperparameters"] or {}
    return content if "params" in content else None
