"""Files and the commands that take them: carried out in a temporary folder, or printed as a script."""

import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import typer

from contracts.errors import InputError, StageError

INSTALL: Final = {
    "gcloud": "cloud.google.com/sdk/docs/install",
    "docker": "docs.docker.com/engine/install",
    "aws": "docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
    "sam": "docs.aws.amazon.com/serverless-application-model/latest/developerguide/install-sam-cli.html",
}
"""Where each tool that a plan may need is to be had."""


@dataclass(frozen=True)
class Command:
    """What is run, with the output of `source` as its input, if there is one."""

    arguments: Sequence[str]
    source: Sequence[str] | None = None
    needs: str = ""
    """What it takes that isn't there by itself: told where it fails."""

    def __str__(self) -> str:
        """As a shell takes it."""
        commands = [self.source, self.arguments] if self.source else [self.arguments]
        return " | ".join(shlex.join(command) for command in commands)

    def tools(self) -> list[str]:
        """The programs that it needs."""
        return [command[0] for command in (self.source, self.arguments) if command]


@dataclass(frozen=True)
class Plan:
    """Commands that run in a folder that has `files`, by name."""

    commands: Sequence[Command]
    files: Mapping[str, str] = field(default_factory=dict)


def show(plan: Plan) -> None:
    """Print a plan as a script: its files, and the commands exactly as `carry_out` runs them."""
    for name, text in plan.files.items():
        typer.echo(f"cat > {name} <<'EOF'\n{text}EOF")
    for command in plan.commands:
        typer.echo(str(command))


def carry_out(plan: Plan) -> None:
    """Run a plan's commands in their order, telling each first.

    Raises:
        InputError: a tool isn't installed; nothing was run.
        StageError: a command failed; those after it weren't run.
    """
    for tool in dict.fromkeys(tool for command in plan.commands for tool in command.tools()):
        if shutil.which(tool) is None:
            raise InputError(f"{tool} isn't installed: see {INSTALL[tool]}; --dry-run shows what it would do")
    with tempfile.TemporaryDirectory(prefix="chrysalis-deploy-") as folder:
        for name, text in plan.files.items():
            Path(folder, name).write_text(text, encoding="utf-8")
        for command in plan.commands:
            typer.echo(str(command))
            _run(command, folder)


def _run(command: Command, folder: str) -> None:
    given = None
    if command.source:
        source = subprocess.run(command.source, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        given = source.stdout
        if source.returncode:
            raise _failed(command.source, source.returncode, command.needs)
    done = (
        subprocess.run(command.arguments, cwd=folder, input=given)
        if given is not None
        else subprocess.run(command.arguments, cwd=folder, stdin=subprocess.DEVNULL)
    )
    if done.returncode:
        raise _failed(command.arguments, done.returncode, command.needs)


def _failed(arguments: Sequence[str], code: int, needs: str) -> StageError:
    needed = f"; {needs}" if needs else ""
    return StageError(f"`{shlex.join(arguments)}` ended with {code}: what it said stands above{needed}")
