"""What make would run, and what it refuses before anything runs."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def make(*words: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """A dry run of make, without the settings of whoever runs the tests."""
    ours = ("CHRYSALIS_", "MAKE", "ARGS", "ROOT", "VERTEX_ARGS")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.run(
        ["make", "--dry-run", *words], cwd=folder, env=environment, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("serve RUN=vertex", "make deploy RUN=vertex"),
        ("pipeline RUN=vertex VERTEX_ARGS=--no-wait", 'make pipeline-yaml VERTEX_ARGS="--run --no-wait"'),
        ("train RUN=vertex ROOT=data", "the stages meet in a bucket"),
        ("follow", "make jobs lists them"),
        ("cancel", "make jobs lists them"),
    ],
)
def test_what_cant_work_is_refused_with_what_does(words, says):
    done = make("CHRYSALIS_BUCKET=bucket", *words.split())
    assert done.returncode == 2
    assert says in done.stderr
    assert not done.stdout


@pytest.mark.parametrize(
    ("words", "runs"),
    [
        ("doctor", "vertex doctor --root gs://bucket --dataset digits"),
        ("doctor ROOT=here", "vertex doctor --root here --dataset digits"),
        ("follow JOB=12", 'vertex follow "12"'),
        ("cancel JOB=12", 'vertex cancel "12"'),
        ("jobs", "vertex list"),
        ("train RUN=vertex VERTEX_ARGS=--no-wait", "submit train --root gs://bucket --dataset digits"),
    ],
)
def test_the_clouds_targets_run_its_commands(words, runs):
    done = make("CHRYSALIS_BUCKET=bucket", *words.split())
    assert done.returncode == 0, done.stderr
    assert runs in done.stdout


@pytest.mark.parametrize(
    "line",
    [
        b"CHRYSALIS_BUCKET=x;touch pwned",
        b"CHRYSALIS_BUCKET=$(touch pwned)",
        b"CHRYSALIS_BUCKET=a|b",
        b"CHRYSALIS_BUCKET=a b",
        b"CHRYSALIS_BUCKET='a'",
        b"export CHRYSALIS_BUCKET=a",
        b"CHRYSALIS_BUCKET=a\r",
        b"\xef\xbb\xbfCHRYSALIS_BUCKET=a",
    ],
)
def test_a_line_of_the_settings_that_isnt_plain_is_an_error(tmp_path, line):
    (tmp_path / ".env").write_bytes(b"# settings\nOTHER='left alone'\nCHRYSALIS_TAG=v=1 \n" + line + b"\n")
    done = make("--file", str(ROOT / "Makefile"), "doctor", folder=tmp_path)
    assert done.returncode == 2
    assert ".env:4: expected NAME=value" in done.stderr
    assert not done.stdout and not (tmp_path / "pwned").exists()


def test_plain_settings_are_taken(tmp_path):
    (tmp_path / ".env").write_text("OTHER='left alone'\n# CHRYSALIS_TAG=a b\nCHRYSALIS_BUCKET=a.b/c-d \n")
    (tmp_path / "src").symlink_to(ROOT / "src")
    (tmp_path / "Pipfile.lock").touch()
    done = make("--file", str(ROOT / "Makefile"), "doctor", folder=tmp_path)
    assert "--root gs://a.b/c-d --dataset" in done.stdout, done.stderr
