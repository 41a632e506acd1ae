"""What a job's container finds in its environment: plain values, and where secrets are, never the secrets."""

import json
import os
import re
from collections.abc import Iterable, Mapping

from contracts.errors import InputError
from vertex.jobs.job_options import Variables

WANDB_KEY = "WANDB_API_KEY"

SECRET_NAME = re.compile(
    r"(^|_)(API_?KEY|(ACCESS|PRIVATE|SECRET)_KEY|TOKEN|(CLIENT|APP)_SECRET|PASSWORD|PASSWD|CREDENTIALS)$",
    re.IGNORECASE,
)
"""How the environment's secrets are called. Their values must never stand in a request: anyone who may list
jobs reads those. (CHRYSALIS_WANDB_SECRET and the like only say where a secret is.)"""
SECRET_VALUE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\bAIza[\w-]{35}|\bya29\.[\w-]{20,}|\bgh[ps]_\w{36}"
    r"|://[^/@\s\"]+:[^/@\s\"]+@|X-(Goog|Amz)-Signature="
)
"""Forms of keys, of a password in an address, and of an address that is signed."""
WANDB_KEY_VALUE = re.compile(r"[0-9a-f]{40}")
SHORTEST_SECRET = 8
"""Of values that are looked for: shorter ones are found by chance."""

OF_THE_SERVICE = re.compile(r"AIP_.*|CLOUD_ML_.*|TF_CONFIG|CLUSTER_SPEC")

_SECRET = re.compile(
    r"(?:projects/[^/]+/secrets/)?(?P<name>[\w-]{1,255})(?:(?::|/versions/)(?P<version>\w+))?"
)


def environment(options: Variables, project: str, *, training: bool) -> dict[str, str]:
    """Compose a container's variables.

    A secret NAME becomes NAME_SECRET=projects/P/secrets/S/versions/V, by which the stage asks Secret Manager
    with its own account.

    Raises:
        InputError: an option can't be read, is the service's own, or looks like a secret.
    """
    plain = pairs("--env", options.env)
    for name, value in plain.items():
        _check_plain(name, value)
    secrets = pairs("--secret", options.secret)
    if training and options.wandb_secret:
        secrets.setdefault(WANDB_KEY, options.wandb_secret)
    return plain | {f"{name}_SECRET": secret_version(value, project) for name, value in secrets.items()}


def pairs(option: str, given: Iterable[str] | None) -> dict[str, str]:
    """Read an option that is given as NAME=value, once for each name.

    Raises:
        InputError: there is no = in it, its name can't be one, or stands there twice.
    """
    found: dict[str, str] = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_][\w-]*", name, re.ASCII):
            # Not the text itself: it may be a secret that was pasted.
            raise InputError(f"expected {option} NAME=value; got something else")
        if name in found:
            raise InputError(f"{option} {name} is given twice")
        found[name] = value
    return found


def secret_version(text: str, project: str) -> str:
    """The whole name of a secret's version, from SECRET, SECRET:VERSION or the whole.

    Raises:
        InputError: it is no such name.
    """
    found = _SECRET.fullmatch(text)
    if not found or WANDB_KEY_VALUE.fullmatch(found["name"]):
        raise InputError(
            "expected the name of a secret in Secret Manager, SECRET or SECRET:VERSION, and not its value"
        )
    owner = text.split("/")[1] if "/" in text else project
    return f"projects/{owner}/secrets/{found['name']}/versions/{found['version'] or 'latest'}"


def refuse_secrets(request: str, variables: Mapping[str, str] = os.environ) -> None:
    """Look through a whole request for this machine's secrets, and for what has a secret's form.

    Raises:
        InputError: there is one; the message doesn't repeat it.
    """
    for name, value in variables.items():
        if not SECRET_NAME.search(name) or len(value) < SHORTEST_SECRET:
            continue
        if value in request or json.dumps(value)[1:-1] in request:
            raise InputError(
                f"the value of {name} stands in the request, where everyone could read it: take it out, and "
                f"give --secret {name}=SECRET, its name in Secret Manager"
            )
    if SECRET_VALUE.search(request):
        raise InputError(
            "a key stands in the request, where everyone could read it: keep it in Secret Manager, and give "
            "--secret NAME=SECRET"
        )


def _check_plain(name: str, value: str) -> None:
    if OF_THE_SERVICE.fullmatch(name):
        raise InputError(f"--env {name}: the service sets it itself; leave it out")
    if SECRET_NAME.search(name) and value:
        example = f"--secret {name}=SECRET[:VERSION]"
        raise InputError(f"--env {name} would be read by everyone who may list jobs: give {example}")
