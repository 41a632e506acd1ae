"""A task in its image on this machine, where docker is."""

import os
import shlex
import shutil
from pathlib import Path

import typer

from contracts.console import log
from contracts.errors import InputError
from vertex.jobs.environment import refuse_secrets
from vertex.stages import Task


def run_docker(work: Task, image: str, *, dry_run: bool) -> None:
    """Become the task's process: its exit code is ours, and an interrupt goes to it.

    Args:
        work: what the image is told.
        image: its whole reference.
        dry_run: print the command instead.

    Raises:
        InputError: there is no docker here, or a secret stands in the command.
    """
    command = ["docker", "run", "--rm", *_credentials(), image, *work.arguments]
    refuse_secrets("\n".join(work.arguments))
    if dry_run:
        log("would run", image=image, output=work.output)
        typer.echo(shlex.join(command))
        return
    log("starting", image=image, output=work.output)
    if shutil.which("docker") is None:
        raise InputError("there is no docker on this machine: give --launcher vertex")
    os.execvp(command[0], command)  # noqa: S606


def _credentials() -> list[str]:
    """This machine's credentials, mounted read-only."""
    key = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    if key:
        if not Path(key).is_file():
            raise InputError(f"GOOGLE_APPLICATION_CREDENTIALS names {key}, which is no file")
        inside = "/run/secrets/gcp_key"
        mounted = f"{Path(key).absolute()}:{inside}:ro"
        return ["--volume", mounted, "--env", f"GOOGLE_APPLICATION_CREDENTIALS={inside}"]
    logged_in = Path(os.environ.get("CLOUDSDK_CONFIG", Path.home() / ".config/gcloud"))
    # The image's HOME is /tmp. A machine in the cloud has no such folder, and needs none.
    return ["--volume", f"{logged_in}:/tmp/.config/gcloud:ro"] if logged_in.is_dir() else []
