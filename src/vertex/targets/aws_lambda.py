"""AWS Lambda: an image that holds the bundle, pushed to Amazon ECR, and the stack of deploy/lambda."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from contracts.bundle import ModelBundle, open_bundle
from contracts.errors import InputError
from vertex.images import ROOT
from vertex.push import PLATFORM, TAG_DIGITS
from vertex.targets.plan import Command, Plan
from vertex.targets.templates import DEPLOY

BASE: Final = "chrysalis/serving-lambda"
STACK: Final = "chrysalis"
ECR: Final = (
    r"(?P<host>\d{12}\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?)/[a-z0-9][a-z0-9._/-]*"
)


@contextmanager
def function(uri: str, bundle: ModelBundle, ecr: str | None, *, dry_run: bool) -> Iterator[Plan]:
    """Plan the function; while the block lasts the bundle is there for its image, unless it is a dry run.

    Args:
        uri: the bundle's folder, also on this machine.
        bundle: its document.
        ecr: the repository for the image.
        dry_run: fetch nothing.

    Raises:
        InputError: there is no repository to push to, or the bundle isn't whole.
    """
    found = re.fullmatch(ECR, ecr or "")
    if not found:
        raise InputError(
            "no repository for Lambda's image: expected --ecr (or CHRYSALIS_ECR) as in "
            f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/chrysalis, got {ecr!r}"
        )
    # Tagged by what is in it, as Lambda takes an image anew only under another name.
    image = f"{ecr}:{bundle.digest[:TAG_DIGITS]}"
    if dry_run:
        yield Plan(_commands(image, uri, found["host"], found["region"]))
        return
    with open_bundle(uri) as (folder, _):
        yield Plan(_commands(image, str(folder.absolute()), found["host"], found["region"]))


def _commands(image: str, bundle: str, host: str, region: str) -> list[Command]:
    return [
        _build(ROOT / "src/serving/Dockerfile", "--target", "lambda", "--tag", BASE, str(ROOT)),
        _build(DEPLOY / "lambda/Dockerfile", "--build-arg", f"BASE={BASE}", "--tag", image, bundle),
        Command(
            ("docker", "login", "--username", "AWS", "--password-stdin", host),
            source=("aws", "ecr", "get-login-password", "--region", region),
        ),
        Command(("docker", "push", "--quiet", image)),
        Command(
            (
                *("sam", "deploy", "--template-file", str(DEPLOY / "lambda/template.yaml")),
                *("--stack-name", STACK, "--region", region, "--image-repository", image.rpartition(":")[0]),
                *("--parameter-overrides", f"Image={image}", "--capabilities", "CAPABILITY_IAM"),
                *("--no-confirm-changeset", "--no-fail-on-empty-changeset"),
            )
        ),
    ]


def _build(dockerfile: Path, *arguments: str) -> Command:
    start = ("docker", "buildx", "build", "--load", "--platform", PLATFORM, "--provenance=false")
    return Command((*start, "--file", str(dockerfile), *arguments))
