"""The command line of the server: options made of the fields of `Settings` that people set often.

Each is named, typed and described once, in `serving.settings`, which also checks it; the others are set by
their variables alone. Secrets have no option: a command line is open to everybody on the machine.
"""

import inspect
import os
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer
from pydantic_core import PydanticUndefined

from serving.runtimes import RuntimeName
from serving.settings import Settings, option, variable

OFTEN: Final[dict[str, Any]] = {
    "model": str,
    "model_name": str,
    "runtime": RuntimeName,
    "require_blessed": bool,
    "workers": int,
    "threads": int,
    "max_batch": int,
    "max_delay_ms": float,
    "threshold": float,
    "allow_buckets": list[str],
}
"""The fields with an option, in the order of `--help`, and how each is typed there."""


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Make a command of `command(settings, …)`: the options of `OFTEN` stand in for `settings`."""

    def run(**options: Any) -> None:
        given = {field: options.pop(field) for field in OFTEN}
        if not given["allow_buckets"]:  # typer's for an option of a list that wasn't given
            given["allow_buckets"] = None
        command(Settings.from_environment(os.environ, **given), **options)

    _, *own = inspect.signature(command).parameters.values()
    own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    run.__doc__ = command.__doc__
    run.__signature__ = inspect.Signature([*map(_parameter, OFTEN), *own])  # type: ignore[attr-defined]
    return run


def _parameter(field: str) -> inspect.Parameter:
    help_text = f"{Settings.model_fields[field].description} [{_default(field)}{variable(field)}]"
    typed = typer.Option(option(field), help=help_text, show_default=False)
    optional: Any = Annotated[OFTEN[field] | None, typed]  # None: not given
    return inspect.Parameter(field, inspect.Parameter.KEYWORD_ONLY, annotation=optional, default=None)


def variables() -> str:
    """A line for each field that only its variable sets."""
    fields = {name: field for name, field in Settings.model_fields.items() if name not in OFTEN}
    return "\n".join(
        f"  {variable(name)}  {field.description} [{_default(name).removesuffix(', ')}]".removesuffix(" []")
        for name, field in fields.items()
    )


def _default(field: str) -> str:
    default = Settings.model_fields[field].get_default()
    return "" if default in (None, False, (), PydanticUndefined) else f"{default}, "
