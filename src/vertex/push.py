"""`python -m vertex push`: build the images of a commit, tag them with it, and push them to the registry."""

import shlex
import shutil
import subprocess
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from contracts.console import log
from contracts.errors import InputError, StageError
from vertex.images import ROOT, Image, chosen, models
from vertex.settings import Images, registry
from vertex.stages import DEFAULT_MODEL

EXAMPLES = """\b
Examples:
  export CHRYSALIS_IMAGES=europe-west4-docker.pkg.dev/my-project/chrysalis
  gcloud auth configure-docker europe-west4-docker.pkg.dev
  python -m vertex push
  python -m vertex push --model xception --dry-run
  python -m vertex push serving serving-cuda
  python -m vertex push beam --build-only
"""

PLATFORM: Final = "linux/amd64"
"""What the machines of Vertex AI and Cloud Run are, whatever builds."""

TAG_DIGITS: Final = 12
LATEST: Final = "latest"

# What reaches an image: .dockerignore lets nothing else through.
SOURCES: Final = ("src", "data/sources", "deploy", ".dockerignore")


def push(images: Sequence[Image], where: str, *, dirty: bool, build_only: bool, dry_run: bool) -> None:
    """Build each image under `where` and push it, telling each command first.

    Args:
        images: which.
        where: the registry, as in HOST/PROJECT/REPOSITORY.
        dirty: also from sources that aren't committed; these are tagged <commit>-dirty, and never latest.
        build_only: push nothing.
        dry_run: only tell the commands, on standard output.

    Raises:
        InputError: the sources aren't committed, or there is no docker.
        StageError: a command failed.
    """
    commit = _git("rev-parse", "HEAD")
    tags = _tags(commit, dirty=dirty)
    if not dry_run and shutil.which("docker") is None:
        raise InputError("docker isn't installed: expected Docker Engine with buildx, see docs.docker.com")
    for image in images:
        names = [f"{where}/{image.name}:{tag}" for tag in tags]
        commands = [build_command(image, names, commit)]
        if not build_only:
            commands += [["docker", "push", "--quiet", name] for name in names]
        for command in commands:
            typer.echo(shlex.join(command))
            if not dry_run:
                _run(command, where)
    if not dry_run:
        log("built" if build_only else "pushed", images=[image.name for image in images], tags=tags)
    if LATEST not in tags:
        log("not tagged latest: jobs take these images with", CHRYSALIS_TAG=tags[0])


def build_command(image: Image, names: Sequence[str], commit: str) -> list[str]:
    """What builds an image under `names`: one plain manifest, as some platforms take no attestations."""
    return [
        *("docker", "buildx", "build", "--load", "--platform", PLATFORM, "--provenance=false"),
        *("--file", image.dockerfile),
        *(("--target", image.target) if image.target else ()),
        *("--build-arg", f"GIT_COMMIT={commit}"),
        *(part for name in names for part in ("--tag", name)),
        ".",
    ]


def _tags(commit: str, *, dirty: bool) -> list[str]:
    changed = _git("status", "--porcelain", "--", *SOURCES)
    if not changed:
        return [commit[:TAG_DIGITS], LATEST]
    if not dirty:
        files = [line[2:].strip() for line in changed.splitlines()]
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        raise InputError(
            f"{files[0]}{more} isn't committed, so no commit would name what is in the images: commit it, or "
            "give --dirty"
        )
    return [f"{commit[:TAG_DIGITS]}-dirty"]


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", None) or error
        raise InputError(f"images are tagged with git's commit, and git says: {reason}") from error
    return done.stdout.rstrip()


def _run(command: Sequence[str], where: str) -> None:
    code = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL).returncode
    if code:
        host = where.partition("/")[0]
        hint = f"; if it was denied: gcloud auth configure-docker {host}" if "push" in command else ""
        raise StageError(f"`{shlex.join(command)}` ended with {code}, what it said stands above{hint}")


def push_cli(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Which.  [default: those of the chain]")
    ] = None,
    *,
    model: Annotated[str, typer.Option(help="The architecture whose images the chain has.")] = DEFAULT_MODEL,
    every: Annotated[bool, typer.Option("--all", help="Every image that there is.")] = False,
    images: Images = None,
    build_only: Annotated[bool, typer.Option("--build-only", help="Build and tag; push nothing.")] = False,
    dirty: Annotated[
        bool, typer.Option("--dirty", help="Uncommitted sources, too: tagged <commit>-dirty, not latest.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the commands and run none.")] = False,
) -> None:
    """Build the images, tag them with the git commit and `latest`, and push them to the registry.

    The chain's are download, records (which processes, too), the model's for CPUs and GPUs, and serving.
    """
    if model not in models():
        raise InputError(f"expected --model to be one of {', '.join(models())}; got {model!r}")
    push(
        chosen(names or [], model, every=every),
        registry(images),
        dirty=dirty,
        build_only=build_only,
        dry_run=dry_run,
    )
