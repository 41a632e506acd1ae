"""One `.env` for `python -m vertex`, make and docker compose."""

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
import typer

from contracts.errors import InputError
from serving.settings import Settings as ServerSettings
from serving.settings import variable
from vertex.__main__ import app
from vertex.environment_file import load_environment_file

ROOT = Path(__file__).parents[2]
LISTED = re.findall(r"^#?((?:CHRYSALIS|GOOGLE)_[A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
NAMED = {*LISTED}


def options(command: click.Command) -> set[str]:
    """The variables of ours that stand in for options, of a command and its sub-commands."""
    names = set()
    for parameter in command.params:
        given = parameter.envvar or ()
        names |= {given} if isinstance(given, str) else set(given)
    for sub_command in getattr(command, "commands", {}).values():
        names |= options(sub_command)
    return {name for name in names if name.startswith("CHRYSALIS_")}


def test_the_example_names_what_the_code_reads():
    literal = re.compile(r"\"(CHRYSALIS_[A-Z_]+[A-Z])\"")
    files = [*(ROOT / "src/vertex").rglob("*.py"), ROOT / "src/contracts/secrets.py"]
    read = {name for file in files if file.exists() for name in literal.findall(file.read_text())}
    assert options(typer.main.get_command(app)) <= NAMED
    assert read == NAMED


def test_the_examples_names_are_nobody_elses():
    compose = re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text())
    assert not NAMED & {*compose, *map(variable, ServerSettings.model_fields)}


def test_the_shell_counts_more_than_the_file(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHON_DOTENV_DISABLED")  # as for tests that mean no file
    file = tmp_path / ".env"
    file.write_text('# settings\nCHRYSALIS_PROJECT=from-file\nCHRYSALIS_BUCKET=a=b\nARGS="--epochs 1"\n')
    monkeypatch.setattr(os, "environ", {"CHRYSALIS_PROJECT": "from-shell"})
    load_environment_file(file)
    assert os.environ["CHRYSALIS_PROJECT"] == "from-shell"
    assert os.environ["CHRYSALIS_BUCKET"] == "a=b"


@pytest.mark.parametrize(
    "value", ["a b", '"a"', "'a'", "a$B", "a#b", " a", "a ", "x;id", "x|id", "a&b", "<a"]
)
def test_what_others_would_read_differently_is_refused(tmp_path, value):
    file = tmp_path / ".env"
    file.write_text(f"# settings\nCHRYSALIS_PROJECT={value}\n")
    with pytest.raises(
        InputError, match=r"\.env:2: expected CHRYSALIS_PROJECT=value, without export, quotes"
    ):
        load_environment_file(file)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"CHRYSALIS_PROJECT=caf\xe9\n", "isn't UTF-8"),
        (b"\xff\xfeC\0", "isn't UTF-8"),
        (b"\xef\xbb\xbfCHRYSALIS_PROJECT=a\n", "byte order mark"),
        (b"CHRYSALIS_PROJECT=a\r\n", "Windows' line ends"),
        ("CHRYSALIS_PROJECT=a\u2028b\n".encode(), "expected CHRYSALIS_PROJECT=value"),
    ],
)
def test_what_an_editor_may_leave_is_refused(tmp_path, content, said):
    file = tmp_path / ".env"
    file.write_bytes(content)
    with pytest.raises(InputError, match=said):
        load_environment_file(file)


def environment(**more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src"), **more}


def test_make_and_vertex_read_the_same(tmp_path):
    """Under make's own shell, so what it exports counts; a job's image and project are the file's."""
    (tmp_path / ".env").write_text(
        "CHRYSALIS_PROJECT=my-project\nCHRYSALIS_REGION=europe-west4\nCHRYSALIS_BUCKET=my-bucket\n"
        "CHRYSALIS_IMAGES=europe-west4-docker.pkg.dev/my-project/chrysalis\nCHRYSALIS_TAG=abc\n"
    )
    (tmp_path / "src").symlink_to(ROOT / "src")
    (tmp_path / "Show").write_text(
        f"include {ROOT}/Makefile\nshow:\n\t@echo $$CHRYSALIS_PROJECT $$CHRYSALIS_TAG $(ROOT)\n"
    )
    (tmp_path / "Pipfile.lock").touch()
    shown = subprocess.run(
        ["make", "-f", "Show", "show", "RUN=vertex"],
        cwd=tmp_path,
        env=environment(CHRYSALIS_TAG="shell"),
        capture_output=True,
        text=True,
    )
    assert shown.stdout.split() == ["my-project", "shell", "gs://my-bucket"], shown.stderr
    command = [sys.executable, "-m", "vertex", "submit", "train", "--gpu", "1", "--dry-run"]
    sent = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert '"europe-west4-docker.pkg.dev/my-project/chrysalis/vgg16-cuda:abc"' in sent.stdout, sent.stderr
    assert "gs://my-bucket/models/digits/vgg16" in sent.stdout


def test_a_bad_file_is_one_clear_line(tmp_path):
    (tmp_path / ".env").write_text("CHRYSALIS_PROJECT = mine\n")
    command = [sys.executable, "-m", "vertex", "submit", "download", "--dry-run"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("python -m vertex: .env:1: expected CHRYSALIS_PROJECT=value")
    assert len(done.stderr.splitlines()) == 1
