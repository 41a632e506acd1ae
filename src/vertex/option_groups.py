"""Options in groups: a command takes a dataclass, and each of its fields is an option of its own.

@dataclass(frozen=True)
class Where:
    region: Annotated[str, typer.Option(help="…")] = "europe-west4"

@grouped
def command_cli(where: Where) -> None: ...      # --region
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Any, TypeVar, get_type_hints

Result = TypeVar("Result")


def grouped(command: Callable[..., Result]) -> Callable[..., Result]:
    """Spread a command's dataclasses into options, in the order of the parameters and their fields.

    Every field has a default and is annotated as typer wants it.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, type[Any]] = {
        name: hints[name] for name in inspect.signature(command).parameters if is_dataclass(hints[name])
    }

    @wraps(command)
    def spread(**given: Any) -> Result:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        return command(**given)

    spread.__signature__ = inspect.Signature(list(_parameters(command, hints, groups)))  # type: ignore[attr-defined]
    return spread


def _parameters(
    command: Callable[..., Any], hints: dict[str, Any], groups: dict[str, type[Any]]
) -> Iterator[inspect.Parameter]:
    for name, parameter in inspect.signature(command).parameters.items():
        if name not in groups:
            yield parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
            continue
        annotations = get_type_hints(groups[name], include_extras=True)
        for field in fields(groups[name]):
            yield inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=annotations[field.name],
            )
