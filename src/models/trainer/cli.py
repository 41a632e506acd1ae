"""The command line that every architecture shares: `app_for(ARCHITECTURE)` is all of an entry file."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from pydantic import BaseModel, ValidationError

from contracts.errors import InputError
from contracts.options import Input, Output
from models.trainer.architecture import Architecture
from models.trainer.config import Execution, TrainConfig
from models.trainer.train import train_and_evaluate
from models.trainer.trial_arguments import TrialCommand

_EXAMPLES = """Examples:

python -m models.{name}.train_multi_gpu --gpu 0 --input data/processed/digits
--output data/models/digits/{name}

python -m models.{name}.train_multi_gpu --gpu 2 --input gs://bucket/processed/flowers
--output gs://bucket/models/flowers/first --weights imagenet --flip

python -m models.{name}.train_multi_gpu --gpu all --replica-batch-size 64 --reference-batch-size 64
--precision bfloat16 --input data/processed/dogs --output data/models/dogs/all

The same command again goes on from the last saved state, or says that the run is finished. On several hosts,
each with its TF_CONFIG or CLUSTER_SPEC, the same command trains one network on all of them."""


def app_for(architecture: Architecture) -> typer.Typer:
    """Make the command that trains an architecture."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(cls=TrialCommand, epilog=_EXAMPLES.format(name=architecture.name))(_command_for(architecture))
    return app


def _command_for(architecture: Architecture) -> Any:
    kinds: tuple[Any, ...] = (TrainConfig, Execution, architecture.options)

    def train_cli(**options: Any) -> None:
        input_uri, output_uri = options.pop("input_uri"), options.pop("output_uri")
        config, execution, own = (
            checked(kind, {name: options[name] for name in kind.model_fields}) for kind in kinds
        )
        train_and_evaluate(config, execution, input_uri, output_uri, architecture, own)

    train_cli.__doc__ = (
        f"Train {architecture.name} on the shards of a processed data set, judge it on the test split, and "
        "export it."
    )
    # Options are the fields of the configuration, so that each is named, typed and described once.
    train_cli.__signature__ = inspect.Signature(_parameters(kinds))  # type: ignore[attr-defined]
    return train_cli


def _parameters(kinds: Sequence[type[BaseModel]]) -> list[inspect.Parameter]:
    def keyword(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
        kind = inspect.Parameter.KEYWORD_ONLY
        return inspect.Parameter(name, kind, annotation=annotation, default=default)

    fields = {name: field for kind in reversed(kinds) for name, field in kind.model_fields.items()}
    return [
        keyword("input_uri", Input),
        keyword("output_uri", Output),
        *(
            keyword(name, Annotated[field.annotation, typer.Option(help=field.description)], field.default)
            for name, field in fields.items()
        ),
    ]


def checked(kind: type[BaseModel], options: Mapping[str, Any]) -> Any:
    """Make a part of the configuration.

    Raises:
        InputError: a value can't be used; it is named as the option that it was given by.
    """
    try:
        return kind(**options)
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][0]).replace("_", "-")
        problem = first["msg"].removeprefix("Value error, ").lower()
        raise InputError(f"--{option} {first['input']}: {problem}; see --help") from None
