import json
import signal
import subprocess
import sys

import pytest
import typer

from contracts import console
from contracts.errors import InputError, StageError


def raiser(error):
    def command():
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("expected a folder,\n got a file"), 2),
        (StageError("the disk is full"), 1),
        (OSError(28, "No space left on device"), 1),
        (MemoryError(), 1),
        (typer.BadParameter("not a number"), 2),
        (KeyboardInterrupt(), 130),
        (console.Terminated(), 143),
        (typer.Exit(5), 5),
    ],
)
def test_every_failure_is_one_line_and_an_exit_code(error, code, capsys):
    assert console.exit_code(raiser(error), "tool") == code
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == (0 if code == 5 else 1)
    assert all(line.startswith("tool: ") and not line.endswith(": ") for line in lines)


def usage_error(capsys, *commands, arguments):
    app = typer.Typer(add_completion=False)
    for command in commands:
        app.command()(command)
    assert console.exit_code(lambda: app([*arguments], standalone_mode=False), "python -m tool") == 2
    return capsys.readouterr().err


def test_a_usage_error_names_the_command_whose_help_tells_more(capsys):
    def build(folder: str): ...

    def push(): ...

    # One command is the program itself.
    said = usage_error(capsys, push, arguments=["--nosuch"])
    assert said == "python -m tool: No such option: --nosuch. See python -m tool --help.\n"
    for arguments in (["build"], ["build", "folder", "--nosuch"], ["build", "folder", "surplus"]):
        said = usage_error(capsys, build, push, arguments=arguments)
        assert said.startswith("python -m tool: ") and said.endswith(" See python -m tool build --help.\n")
    for arguments in (["nosuch"], ["--nosuch"]):
        said = usage_error(capsys, build, push, arguments=arguments)
        assert said.endswith(" See python -m tool --help.\n")


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        console.exit_code(lambda: 1 / 0, "tool")


SLEEPER = """
import time, typer
from contracts.console import run_app
app = typer.Typer(add_completion=False)
@app.command()
def main():
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        print("cleaned up", flush=True)
run_app(app, "sleeper")
"""


@pytest.mark.parametrize(
    ("signal_number", "code", "said"),
    [(signal.SIGTERM, 143, "sleeper: terminated"), (signal.SIGINT, 130, "sleeper: interrupted")],
)
def test_a_signal_cleans_up_and_says_so(signal_number, code, said):
    with subprocess.Popen(
        [sys.executable, "-c", SLEEPER], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal_number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (code, "cleaned up\n")
    assert err.startswith(said)


def test_without_a_terminal_progress_is_json_lines(capsys):
    assert list(console.progress([1, 2, 3], total=3, what="reading")) == [1, 2, 3]
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["done"], line["total"], line["finished"]) == ("reading", 3, 3, True)


def test_vertex_ai_gets_its_lines_where_it_doesnt_take_them_for_errors(capsys, monkeypatch):
    console.log("here")
    monkeypatch.setenv("CLOUD_ML_JOB_ID", "7")
    console.log("there")
    told = capsys.readouterr()
    assert (json.loads(told.err), json.loads(told.out)) == ({"event": "here"}, {"event": "there"})
