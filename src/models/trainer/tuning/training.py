"""The command that a study varies, and what of it a search space may name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.errors import InputError
from contracts.search_parameter import Parameter, Value
from contracts.search_space import SearchSpace
from models.trainer.architecture import Architecture
from models.trainer.tuning.options import (
    MODEL_KEYS,
    architecture_named,
    as_arguments,
    field_name,
    fields,
    is_whole,
    settings,
)

OURS = ("--input", "--output", "--gpu", "--export", "--no-export")
"""Options of a trial that the study gives."""


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
                _check_once(parameter, space)
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
        if "--help" in given:
            raise InputError(
                "--help can't stand behind the --: "
                f"python -m models.{self.model}.train_multi_gpu --help tells of the training's options"
            )
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
            if parameter.double_value_spec and is_whole(fields(architecture)[name]):
                raise InputError(
                    f"parameter {parameter.parameter_id} is a whole number, and has a doubleValueSpec: "
                    "make it an integerValueSpec"
                )
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


def _check_once(parameter: Parameter, space: SearchSpace) -> None:
    name = parameter.parameter_id
    for other in (each.parameter_id for each in space.parameters):
        if other != name and field_name(other) == field_name(name):
            raise InputError(f"parameters {name} and {other} mean the same: leave one out")


def _within(parameter: Parameter, value: Value) -> bool:
    if parameter.discrete_value_spec or parameter.categorical_value_spec:
        return value in parameter.extremes
    lowest, highest = parameter.extremes[0], parameter.extremes[-1]
    return not isinstance(value, str) and lowest <= value <= highest  # type: ignore[operator]
