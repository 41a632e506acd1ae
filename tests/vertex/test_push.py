"""The commands that build, tag and push; that they do is tested in tests/containers."""

import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contracts.errors import InputError, StageError
from vertex import push
from vertex.__main__ import app

REGISTRY = "europe-west4-docker.pkg.dev/my-project/chrysalis"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clean one with a file that goes into images, and one that doesn't."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src/code.py").write_text("1\n")
    (tmp_path / "README.md").write_text("words\n")
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    monkeypatch.setattr(push, "ROOT", tmp_path)
    return tmp_path


def run(*arguments: str) -> list[str]:
    """The commands that it tells; what it raises goes on."""
    done = CliRunner().invoke(app, ["push", *arguments], standalone_mode=False)
    if done.exception:
        raise done.exception
    return done.stdout.splitlines()


def commit_of(repository: Path) -> str:
    told = subprocess.run(["git", "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True)
    return told.stdout.strip()


def test_an_image_is_built_from_its_target_and_pushed_under_both_tags(repository):
    (repository / "README.md").write_text("reaches no image\n")
    commit = commit_of(repository)
    names = [f"{REGISTRY}/cnn-cuda:{tag}" for tag in (commit[:12], "latest")]
    assert run("cnn-cuda", "--dry-run") == [
        "docker buildx build --load --platform linux/amd64 --provenance=false"
        " --file src/models/cnn/Dockerfile --target cuda"
        f" --build-arg GIT_COMMIT={commit} --tag {names[0]} --tag {names[1]} .",
        *(f"docker push --quiet {name}" for name in names),
    ]


def test_only_built(repository):
    assert [line.split()[1] for line in run("beam", "--build-only", "--dry-run")] == ["buildx"]


@pytest.mark.parametrize("change", ["src/code.py", "src/new.py"])
def test_what_is_not_committed_is_refused_or_named_so(repository, change):
    (repository / change).write_text("2\n")
    with pytest.raises(InputError, match=f"{change} isn't committed, .* or give --dirty"):
        run("serving", "--dry-run")
    dirty = f"{commit_of(repository)[:12]}-dirty"
    pushed = run("serving", "--dry-run", "--dirty")[1:]
    assert pushed == [f"docker push --quiet {REGISTRY}/serving:{dirty}"]


def test_another_model_is_told_which_there_are(repository):
    with pytest.raises(InputError, match=r"--model to be one of cnn, keras_applications, .*got 'nosuch'"):
        run("--model", "nosuch", "--dry-run")


def test_outside_of_git_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(push, "ROOT", tmp_path)
    with pytest.raises(InputError, match=r"git's commit, and git says: fatal: not a git repository"):
        run("--dry-run")


def test_without_docker_it_says_so(repository, monkeypatch):
    monkeypatch.setattr(push.shutil, "which", lambda _: None)
    with pytest.raises(InputError, match="docker isn't installed"):
        run("serving")


def test_a_refused_push_says_how_to_log_in(repository, tmp_path_factory, monkeypatch):
    """A docker that builds, and is denied by the registry."""
    folder = tmp_path_factory.mktemp("bin")
    docker = folder / "docker"
    docker.write_text('#!/bin/sh\n[ "$1" = buildx ] || { echo denied >&2; exit 1; }\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    with pytest.raises(
        StageError, match=r"ended with 1, .* gcloud auth configure-docker europe-west4-docker"
    ):
        run("serving")
