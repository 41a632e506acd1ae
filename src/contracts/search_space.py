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

from pydantic import Field, NonNegativeInt, PositiveInt, ValidationError, model_validator

from contracts import storage
from contracts.errors import InputError
from contracts.hyperparam_yaml import Older, older_block
from contracts.search_parameter import Parameter, Spec
from contracts.strict_yaml import read_yaml

Goal = Literal["MAXIMIZE", "MINIMIZE"]

NOT_OURS = ("displayName", "display_name", "labels", "trialJobSpec", "trial_job_spec")
"""Keys of a whole job that say nothing of the search; whoever sends the job fills them."""


class Metric(Spec):
    """What is looked at."""

    metric_id: str = Field(min_length=1)
    goal: Goal


class Stopping(Spec):
    """How bad trials are stopped early."""

    use_elapsed_duration: bool | None = None


class StudySpec(Spec):
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


class SearchSpace(Spec):
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
        content = read_yaml(text, uri)
        if not isinstance(content, dict):
            raise InputError(f"{uri}: expected studySpec, or trainingInput.hyperparameters, got {content!r}")
        block = older_block(content)
        if block is not None and not (block and isinstance(block, Mapping)):
            raise InputError(f"{uri}: hyperparameters: expected goal, params and so on, got {block!r}")
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
