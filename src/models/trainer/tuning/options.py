"""The training's own options as a study sees them: which there are, and what they may be.

The architectures are found by name, as whoever adds one does not tell the trainer of it.
"""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from contracts.errors import InputError
from contracts.search_parameter import Value
from models.trainer.architecture import Architecture, ArchitectureOptions
from models.trainer.cli import app_for, checked
from models.trainer.config import Execution, TrainConfig

MODEL_KEYS = ("model", "architecture")
"""Parameters that choose the architecture itself."""


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
    try:
        parts = [checked(kind, {name: chosen[name] for name in kind.model_fields}) for kind in kinds]
    except InputError as error:
        raise InputError(f"models.{architecture.name}: {error}") from None
    architecture.design(parts[2])
    return Settings(*parts)


def fields(architecture: Architecture) -> dict[str, FieldInfo]:
    """What can be searched: the options that decide the numbers that come out."""
    return dict(TrainConfig.model_fields) | dict(architecture.options.model_fields)


def is_whole(field: FieldInfo) -> bool:
    """Whether an option takes whole numbers only."""
    kinds = get_args(field.annotation) or (field.annotation,)
    return int in kinds and float not in kinds


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
