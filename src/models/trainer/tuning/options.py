"""The training's own options as a study sees them: which there are, and what they may be.

The architectures are found by name, as whoever adds one does not tell the trainer of it.
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from contracts.errors import InputError
from contracts.search_space import Parameter, SearchSpace, Value
from models.trainer.architecture import Architecture, ArchitectureOptions
from models.trainer.cli import app_for
from models.trainer.config import Execution, TrainConfig

MODEL_KEYS = ("model", "architecture")
"""Parameters that choose the architecture itself."""
OURS = ("--input", "--output", "--gpu", "--export", "--no-export")
"""Options of a trial that the study gives."""


@dataclass(frozen=True)
class Settings:
    """What a command line says."""

    config: TrainConfig
    execution: Execution
    own: ArchitectureOptions


def architecture_named(name: str) -> Architecture:
    """Load an architecture: a folder under `models/` with a `model.py`.

    Raises:
        InputError: there is none of that name.
    """
    there = architecture_names()
    if name not in there:
        raise InputError(f"there is no architecture {name}: expected one of {', '.join(there)}")
    found: Architecture = importlib.import_module(f"models.{name}.model").ARCHITECTURE
    return found


def architecture_names() -> list[str]:
    """The architectures that this place has."""
    folders = [Path(folder) for folder in importlib.import_module("models").__path__]
    return sorted({path.parent.name for folder in folders for path in folder.glob("*/model.py")})


def settings(architecture: Architecture, arguments: Sequence[str]) -> Settings:
    """Understand a command line as the training itself does.

    Raises:
        InputError: it would refuse it.
    """
    command = typer.main.get_command(app_for(architecture))
    given = [*arguments, "--input", "records", "--output", "run"]
    try:
        with command.make_context(architecture.name, given) as context:
            chosen = context.params
    except typer.TyperException as error:
        describe = getattr(error, "format_message", None)
        raise InputError(f"models.{architecture.name}: {describe() if describe else error}") from None
    kinds: tuple[type[BaseModel], ...] = (TrainConfig, Execution, architecture.options)
    parts: list[Any] = [
        _checked(kind, {name: chosen[name] for name in kind.model_fields}, architecture) for kind in kinds
    ]
    architecture.design(parts[2])
    return Settings(*parts)


def _checked(kind: type[BaseModel], values: Mapping[str, Any], architecture: Architecture) -> BaseModel:
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][0]).replace("_", "-")
        problem = first["msg"].removeprefix("Value error, ").lower()
        raise InputError(f"models.{architecture.name}: --{option} {first['input']}: {problem}") from None


def fields(architecture: Architecture) -> dict[str, FieldInfo]:
    """What can be searched: the options that decide the numbers that come out."""
    return dict(TrainConfig.model_fields) | dict(architecture.options.model_fields)


def field_name(parameter: str) -> str:
    """A parameter's name as the configuration has it; `learning-rate` is `learning_rate`."""
    return parameter.replace("-", "_")


def as_arguments(name: str, field: FieldInfo, value: Value) -> list[str]:
    """An option with its value, as it is typed.

    Raises:
        InputError: the option is a switch, and the value neither true nor false.
    """
    option = name.replace("_", "-")
    if field.annotation is bool:
        if value not in ("true", "false"):
            raise InputError(f"parameter {name}: expected true or false, got {value}")
        return [f"--{option}" if value == "true" else f"--no-{option}"]
    # The discrete values of the form are all floats; an option of whole numbers takes none.
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return [f"--{option}", str(int(value) if whole else value)]


@dataclass(frozen=True)
class Training:
    """The command that a study varies."""

    model: str
    """The architecture where the search space doesn't choose one."""
    arguments: tuple[str, ...]
    """Further options, the same for every trial."""

    def architecture_of(self, chosen: Mapping[str, Value]) -> Architecture:
        """What a trial trains."""
        named = [chosen[key] for key in MODEL_KEYS if key in chosen]
        return architecture_named(str(named[0]) if named else self.model)

    def options_of(self, chosen: Mapping[str, Value]) -> list[str]:
        """A trial's options: those of every trial, then its own that its architecture knows."""
        known = fields(self.architecture_of(chosen))
        options = list(self.arguments)
        for name, value in chosen.items():
            if (field := known.get(field_name(name))) is not None:
                options += as_arguments(field_name(name), field, value)
        return options

    def epochs_of(self, chosen: Mapping[str, Value]) -> int:
        """How many a trial has, those of the head included."""
        config = settings(self.architecture_of(chosen), self.options_of(chosen)).config
        return config.epochs + (0 if config.from_scratch else config.head_epochs)

    def check(self, space: SearchSpace) -> None:
        """Refuse a search space that the training wouldn't understand.

        Raises:
            InputError: a parameter is no option of it, or may be what it doesn't take.
        """
        self._check_arguments(space)
        candidates = self._candidates(space)
        for architecture in candidates:
            settings(architecture, self.arguments)
        for parameter in space.parameters:
            if parameter.parameter_id not in MODEL_KEYS:
                self._check_parameter(parameter, candidates)

    def _candidates(self, space: SearchSpace) -> list[Architecture]:
        chosen = [parameter for parameter in space.parameters if parameter.parameter_id in MODEL_KEYS]
        if len(chosen) > 1:
            raise InputError(f"{' and '.join(MODEL_KEYS)} mean the same: leave one of the parameters out")
        names = [str(name) for parameter in chosen for name in parameter.extremes] or [self.model]
        return [architecture_named(name) for name in names]

    def _check_arguments(self, space: SearchSpace) -> None:
        given = {argument.partition("=")[0] for argument in self.arguments if argument.startswith("--")}
        for option in OURS:
            if option in given:
                raise InputError(f"{option} can't stand behind the --: the study gives it to its trials")
        for parameter in space.parameters:
            option = field_name(parameter.parameter_id).replace("_", "-")
            if given & {f"--{option}", f"--no-{option}"}:
                raise InputError(f"--{option} is searched: leave it out behind the --")

    def _check_parameter(self, parameter: Parameter, candidates: Sequence[Architecture]) -> None:
        name = field_name(parameter.parameter_id)
        knowing = [architecture for architecture in candidates if name in fields(architecture)]
        if not knowing:
            names = ", ".join(architecture.name for architecture in candidates)
            raise InputError(
                f"parameter {parameter.parameter_id} is no option of {names} that a study can search: "
                f"expected one of {', '.join(sorted(fields(candidates[0])))}"
            )
        for architecture in knowing:
            for value in parameter.extremes:
                try:
                    own = as_arguments(name, fields(architecture)[name], value)
                    settings(architecture, [*self.arguments, *own])
                except InputError as error:
                    raise InputError(f"parameter {parameter.parameter_id}: {error}") from None

    def defaults(self, space: SearchSpace) -> dict[str, Value]:
        """Where the search starts: the values that the file calls defaults, else the training's own.

        A parameter isn't in it where its default is unknown, or lies outside the search space.
        """
        found: dict[str, Value] = {}
        for parameter in sorted(space.parameters, key=lambda each: each.parameter_id not in MODEL_KEYS):
            value = parameter.values.default_value
            if value is None:
                value = self._own_default(parameter, self.architecture_of(found))
            if value is not None and _within(parameter, value):
                found[parameter.parameter_id] = value
        return {
            each.parameter_id: found[each.parameter_id]
            for each in space.parameters
            if each.parameter_id in found
        }

    def _own_default(self, parameter: Parameter, architecture: Architecture) -> Value | None:
        if parameter.parameter_id in MODEL_KEYS:
            return self.model
        given = settings(architecture, self.arguments)
        name = field_name(parameter.parameter_id)
        value: Any = getattr(given.config, name, getattr(given.own, name, None))
        if value is None and name == "learning_rate":
            value = architecture.design(given.own).learning_rate
        if value is None or isinstance(value, str):
            return value
        if parameter.categorical_value_spec:
            return str(value).lower() if isinstance(value, bool) else str(value)
        return float(value) if parameter.integer_value_spec is None else int(value)


def _within(parameter: Parameter, value: Value) -> bool:
    if parameter.discrete_value_spec or parameter.categorical_value_spec:
        return value in parameter.extremes
    lowest, highest = parameter.extremes[0], parameter.extremes[-1]
    return not isinstance(value, str) and lowest <= value <= highest  # type: ignore[operator]
