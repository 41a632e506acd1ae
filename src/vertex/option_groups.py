"""Options in groups: a command takes a dataclass, and each of its fields is an option of its own.

@dataclass(frozen=True)
class Where:
    title: ClassVar[str] = "Google Cloud"       # its section of --help
    region: Annotated[str, typer.Option(help="…")] = "europe-west4"

@grouped
def command_cli(where: Where) -> None: ...      # --region

app.command("name", cls=SectionedCommand)(command_cli)

A group may be made of others by inheritance: each option stands in the section of the class that has it,
and those of a class without a title stand among the first.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import fields, is_dataclass
from functools import wraps
from itertools import chain
from typing import Annotated, Any, Final, TypeVar, get_args, get_type_hints

import typer
from typer.core import TyperCommand

from contracts.errors import InputError

Result = TypeVar("Result")

FIRST_COLUMN: Final = 30
"""The most that it takes, in characters: typer's own."""


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
        _check_text(given)
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        return command(**given)

    spread.__signature__ = inspect.Signature(list(_parameters(command, hints, groups)))  # type: ignore[attr-defined]
    return spread


class SectionedCommand(TyperCommand):
    """A command whose plain help has a section for each group; what is in none comes first.

    Typer itself makes sections of `rich_help_panel` with rich alone.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments; every error of usage says of which command, as not all of typer's do."""
        behind = args[args.index("--") + 1 :] if "--" in args else []
        try:
            rest = super().parse_args(ctx, args)
        except typer.TyperException as error:
            if getattr(error, "ctx", ctx) is None:
                error.ctx = ctx  # type: ignore[attr-defined]
            raise
        _check_extra(ctx.params.get("extra") or (), behind)
        return rest

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the sections, all with their second columns in line."""
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for parameter in self.get_params(ctx):
            usual = "Arguments" if parameter.param_type_name == "argument" else "Options"
            record = parameter.get_help_record(ctx)
            if record is not None:
                title = getattr(parameter, "rich_help_panel", None) or usual
                sections.setdefault(title, []).append(record)
        widths = (len(first) for first, _ in chain(*sections.values()))
        width = max((each for each in widths if each <= FIRST_COLUMN), default=0)
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl([(first.ljust(width), text) for first, text in records], width)


def _check_extra(extra: Sequence[str], behind: Sequence[str]) -> None:
    """Refuse words that became options of a stage though they don't stand behind the --."""
    if len(extra) > len(behind):
        raise InputError(f"unexpected {extra[0]}: options of the stage itself stand behind --")


def _check_text(given: Mapping[str, Any]) -> None:
    """Refuse what wasn't UTF-8: Python keeps other bytes as surrogates, which no request can hold."""
    for name, value in given.items():
        for text in value if isinstance(value, list | tuple) else [value]:
            if isinstance(text, str) and re.search("[\ud800-\udfff]", text):
                raise InputError(f"expected {name.replace('_', '-')} in UTF-8; got other bytes")


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
                annotation=_titled(annotations[field.name], _title(groups[name], field.name)),
            )


def _title(group: type[Any], field: str) -> str | None:
    """The title of the class that has the field: the group, or one that it is made of; None: it has none."""
    owner = next(each for each in group.__mro__ if field in inspect.get_annotations(each))
    title: str | None = vars(owner).get("title")
    return title


def _titled(annotation: Any, title: str | None) -> Any:
    """The annotation with its option in the section; the option itself may be in other groups, too."""
    kind, option = get_args(annotation)
    option = copy(option)
    option.rich_help_panel = title
    return Annotated[kind, option]
