"""`study.json`: what a study searched and what it found. Written last, when the best model is exported."""

import json
from typing import Any, ClassVar, Literal, Self

from pydantic import (
    AwareDatetime,
    Field,
    FiniteFloat,
    NonNegativeFloat,
    NonNegativeInt,
    ValidationError,
    field_validator,
    model_validator,
)

from contracts import storage
from contracts.documents import Document, Part
from contracts.errors import InputError
from contracts.search_parameter import Value
from contracts.search_space import SearchSpace

State = Literal["complete", "pruned", "failed"]


class TrialRecord(Part):
    """A training with one choice of the parameters."""

    name: str = Field(description="its folder in the study's")
    number: NonNegativeInt
    state: State
    architecture: str
    parameters: dict[str, Value]
    value: FiniteFloat | None = Field(description="the metric of its best epoch; None: it has none")
    values: tuple[FiniteFloat, ...] = Field(description="the metric of each epoch")
    seconds: NonNegativeFloat = Field(description="of its epochs")
    reason: str | None = Field(default=None, description="why it failed")


class Study(Document):
    """`<study>/study.json`."""

    file_name: ClassVar[str] = "study.json"
    made_by: ClassVar[str] = "python -m models.trainer.tune"

    name: str
    dataset: str
    dataset_digest: str
    created_at: AwareDatetime
    space: dict[str, Any] = Field(description="as the JSON of a HyperparameterTuningJob has it")
    model: str = Field(description="the architecture, where no parameter chooses it")
    arguments: tuple[str, ...] = Field(description="options that all trials share")
    pruner: str
    seed: int
    command: str = Field(description="what to type to go on with it")
    first: dict[str, Value] = Field(description="the default configuration, as far as it is in the space")
    trials: tuple[TrialRecord, ...] = Field(min_length=1)
    best: str = Field(description="the name of the best trial, whose bundle is kept")
    importance: dict[str, FiniteFloat] = Field(
        description="each parameter's share of what the values differ by; empty: too few trials to tell"
    )

    @field_validator("space")
    @classmethod
    def _check_space(cls, space: dict[str, Any]) -> dict[str, Any]:
        try:
            SearchSpace.model_validate(space)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ValueError(f"{where}: {first['msg']}") from None
        return space

    @model_validator(mode="after")
    def _check_best(self) -> Self:
        if self.best not in {trial.name for trial in self.trials if trial.state == "complete"}:
            raise ValueError(f"the best trial, {self.best}, isn't among those that came to their end")
        return self

    @classmethod
    def read_for_update(cls, folder: str) -> Self | None:
        """As `read_if_there`, but what another version of Chrysalis wrote isn't to be replaced.

        Raises:
            InputError: it has another schema_version.
        """
        study = cls.read_if_there(folder)
        if study is None and storage.exists(uri := storage.join(folder, cls.file_name)):
            version = _version(cls.read_text(folder))
            if version not in (None, cls.current_version):
                raise InputError(
                    f"{uri} has schema_version {version}; this version of Chrysalis writes "
                    f"{cls.current_version}: choose another --output"
                )
        return study

    @property
    def search_space(self) -> SearchSpace:
        """What was searched."""
        return SearchSpace.model_validate(self.space)

    @property
    def best_trial(self) -> TrialRecord:
        """The best of them."""
        return next(trial for trial in self.trials if trial.name == self.best)

    @property
    def default_trial(self) -> TrialRecord | None:
        """The trial of the default configuration; None where it failed, or isn't wholly in the space."""
        first = self.trials[0]
        whole = first.parameters == self.first
        return first if whole and first.state == "complete" else None


def _version(text: bytes) -> Any:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return said.get("schema_version") if isinstance(said, dict) else None
