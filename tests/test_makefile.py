"""What make would run, and what it refuses before anything runs."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def make(*words: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """A dry run of make, without the settings of whoever runs the tests."""
    ours = ("CHRYSALIS_", "MAKE", "ARGS", "ROOT", "VERTEX_ARGS", "DRY_RUN", "WORKERS")
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
        ("cancel JOB=12 DRY_RUN=1", "cancel has no dry run: make -n cancel prints"),
        ("train DRY_RUN=1", "train with RUN=local has no dry run"),
        ("deploy RUN=docker DRY_RUN=1", "deploy with RUN=docker has no dry run"),
        ("pipeline RUN=vertex DRY_RUN=1 VERTEX_ARGS=--no-wait", "make pipeline-yaml VERTEX_ARGS"),
        ("pipeline-yaml WORKERS=3", "make pipeline RUN=vertex takes WORKERS"),
        ("train RUN=vertex RUN_ID='my run'", 'RUN_ID is "my run"; expected a plain name'),
        ("tune STUDY='my study'", 'STUDY is "my study"; expected a plain name'),
    ],
)
def test_what_cant_work_is_refused_with_what_does(words, says):
    done = make("CHRYSALIS_BUCKET=bucket", *shlex.split(words))
    assert done.returncode == 2
    assert says in done.stderr
    assert not done.stdout


@pytest.mark.parametrize(
    ("words", "runs"),
    [
        ("doctor", 'vertex doctor --root gs://bucket --dataset "digits"'),
        ("doctor ROOT=here", 'vertex doctor --root here --dataset "digits"'),
        ("follow JOB=12", 'vertex follow "12"'),
        ("cancel JOB=12", 'vertex cancel "12"'),
        ("jobs", "vertex list"),
        ("train RUN=vertex VERTEX_ARGS=--no-wait", 'submit train --root "gs://bucket" --dataset "digits"'),
    ],
)
def test_the_clouds_targets_run_its_commands(words, runs):
    done = make("CHRYSALIS_BUCKET=bucket", *words.split())
    assert done.returncode == 0, done.stderr
    assert runs in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        *(f"{stage} RUN=vertex" for stage in ("download", "process", "records", "train", "tune")),
        *("records RUN=dataflow", "pipeline RUN=vertex", "push", "deploy RUN=vertex", "deploy TARGET=lambda"),
        *("promote", "rollback", "undeploy", "pipeline-yaml VERTEX_ARGS=--run"),
    ],
)
@pytest.mark.parametrize("dry", ["", "0", "1"])
def test_a_dry_run_is_one_for_every_command_that_is_run(words, dry):
    done = make("CHRYSALIS_BUCKET=bucket", f"DRY_RUN={dry}", *words.split())
    assert done.returncode == 0, done.stderr
    commands = re.findall(r"-m vertex (?:[^\n\\]|\\\n)*", done.stdout)
    assert commands
    assert [" --dry-run" in command for command in commands] == [dry == "1"] * len(commands)
    assert ("the gate judges" in done.stdout) == ("pipeline RUN" in words and dry == "1")


def test_a_pipeline_that_is_only_compiled_has_no_dry_run():
    assert "--dry-run" not in make("CHRYSALIS_BUCKET=bucket", "pipeline-yaml", "DRY_RUN=1").stdout


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
