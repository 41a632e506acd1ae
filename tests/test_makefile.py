"""What make would run, and what it refuses before anything runs."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def make(*words: str) -> subprocess.CompletedProcess[str]:
    """A dry run of make, without the settings of whoever runs the tests."""
    ours = ("CHRYSALIS_", "MAKE", "ARGS", "ROOT", "VERTEX_ARGS")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.run(
        ["make", "--dry-run", *words], cwd=ROOT, env=environment, capture_output=True, text=True
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
