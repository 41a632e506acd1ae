"""Groups of options: what a command is given of them, and their sections in --help."""

import re
from dataclasses import dataclass
from typing import Annotated, ClassVar

import pytest
import typer
from typer.testing import CliRunner

from contracts.console import exit_code
from vertex.__main__ import app as vertex
from vertex.option_groups import SectionedCommand, grouped

Colour = Annotated[str, typer.Option(help="Of the paint.")]


@dataclass(frozen=True)
class Wall:
    title: ClassVar[str] = "The wall"
    colour: Colour = "white"


@dataclass(frozen=True)
class Door:
    title: ClassVar[str] = "The door"
    width: Annotated[int, typer.Option(min=1)] = 80


@dataclass(frozen=True)
class House(Door, Wall):
    floors: Annotated[int, typer.Option(help="Storeys of a house.")] = 1


def build(*arguments: str) -> tuple[str, object]:
    """What is printed, and what the command was given."""
    given = []

    @grouped
    def build_cli(name: str, *, house: House, quick: bool = False) -> None:
        given.append((name, house, quick))

    @grouped
    def paint_cli(colour: Colour = "red") -> None: ...

    app = typer.Typer(rich_markup_mode=None, add_completion=False)
    app.command("build", cls=SectionedCommand)(build_cli)
    app.command("paint", cls=SectionedCommand)(paint_cli)
    done = CliRunner().invoke(app, arguments)
    return done.output, given[0] if given else None


def sections(text: str) -> dict[str, list[str]]:
    """The options that --help shows, by their sections' titles and in their order."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if re.fullmatch(r"\S.*:", line):
            found[line[:-1]] = []
        elif option := re.match(r"  (--[\w-]+)", line):
            found[list(found)[-1]].append(option[1])
    return found


def test_a_command_is_given_its_groups():
    _, given = build("build", "home", "--colour", "blue", "--floors", "2", "--quick")
    assert given == ("home", House(colour="blue", floors=2), True)


def test_each_option_stands_in_the_section_of_the_class_that_has_it():
    text, _ = build("build", "--help")
    assert sections(text) == {
        "Arguments": [],
        "Options": ["--floors", "--quick", "--help"],
        "The wall": ["--colour"],
        "The door": ["--width"],
    }
    columns = {
        line.index(words) for line in text.splitlines() for words in ("Of the", "Storeys") if words in line
    }
    assert len(columns) == 1
    # An option that groups share is in no section elsewhere.
    assert sections(build("paint", "--help")[0]) == {"Options": ["--colour", "--help"]}


@pytest.mark.parametrize(
    ("command", "first"),
    [
        ("submit", ["Arguments", "Options", "Folders", "Training", "Submission"]),
        ("tune", ["Arguments", "Options", "Folders", "Training", "Submission"]),
        ("pipeline", ["Arguments", "Options", "Submission", "Folders", "Steps"]),
        ("dataflow", ["Arguments", "Options", "Folders", "Submission", "Dataflow"]),
        ("doctor", ["Options", "Folders", "Training", "Google Cloud"]),
    ],
)
def test_what_everybody_needs_comes_first(command, first):
    found = sections(CliRunner().invoke(vertex, [command, "--help"]).output)
    assert list(found)[: len(first)] == first
    assert found["Folders"] == ["--dataset", "--root", "--bucket"]
    assert found["Google Cloud"][:2] == ["--project", "--region"]
    assert max(map(len, found.values())) <= 8


def test_an_option_without_its_value_names_the_command(capsys):
    arguments = ["submit", "train", "--gpu"]
    assert exit_code(lambda: vertex(arguments, standalone_mode=False), "python -m vertex") == 2
    [said] = capsys.readouterr().err.splitlines()
    assert said == (
        "python -m vertex: Option '--gpu' requires an argument. See python -m vertex submit --help."
    )
