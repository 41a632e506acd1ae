"""A trial's parameters as Vertex AI passes them, as this command line takes them.

The service writes `--learning_rate=0.001 --batch_size=16.0 --flip=true`: names as the study has them, whole
numbers of a discrete parameter as floats, and no flags. Outside a tuning job nothing of this is understood.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from typer.core import TyperCommand

from contracts import vertex_environment

_ARGUMENT = re.compile(r"--([a-z][a-z0-9]*(?:[_-][a-z0-9]+)*)=(.*)", re.DOTALL)
_WHOLE = re.compile(r"(-?\d+)\.0+")
_SWITCHES = {"true": True, "false": False}


class TrialCommand(TyperCommand):
    """A command that understands a trial's parameters in a trial."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments."""
        if vertex_environment.trial():
            args = list(plain_arguments(args, self.params))
        rest: list[str] = super().parse_args(ctx, args)
        return rest


def plain_arguments(arguments: Sequence[str], options: Sequence[Any]) -> Iterator[str]:
    """Give arguments as they are typed by hand; what is no parameter of a trial stays as it is.

    Args:
        arguments: `--name=value` each, and others.
        options: of the command.
    """
    known = {name: option for option in options for name in option.opts}
    for argument in arguments:
        found = _ARGUMENT.fullmatch(argument)
        option = known.get(f"--{found[1].replace('_', '-')}") if found else None
        yield argument if found is None or option is None else _plain(option, found[2], argument)


def _plain(option: Any, value: str, argument: str) -> str:
    if getattr(option, "is_flag", False):
        if value.lower() not in _SWITCHES:
            return argument
        names: list[str] = option.opts if _SWITCHES[value.lower()] else option.secondary_opts
        return names[0]
    whole = _WHOLE.fullmatch(value)  # `16` is as good for an option that takes fractions
    return f"{option.opts[0]}={whole[1] if whole else value}"
