"""`python -m vertex dataflow`: the records stage on Dataflow, many machines that Beam starts and ends.

Launcher and workers need one version of Python, so that the job is started inside the very image that its
workers run: with docker on this machine, or in a custom job of Vertex AI where there is no docker.
"""

import os
import shlex
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from contracts.console import log
from contracts.errors import InputError
from vertex.jobs.environment import refuse_secrets
from vertex.jobs.job import APP, display_name, label
from vertex.jobs.job_options import JobOptions
from vertex.jobs.submit import Again, Dataset, send_task
from vertex.option_groups import grouped
from vertex.settings import Bucket, Root, Settings, Where, root_uri, scratch
from vertex.stages import Request, Stage, Task, task

EXAMPLES = """\b
Examples:
  python -m vertex dataflow --root gs://bucket/run --dataset flowers --max-workers 20
  python -m vertex dataflow --dataset flowers --launcher vertex -- --image-size 224 --resize crop
  python -m vertex dataflow --dataset flowers --machine-type n2-standard-8 --dry-run
"""

IMAGE: Final = "beam"
LAUNCHER_MACHINE: Final = "n1-standard-4"

_OURS: Final = (
    *("--runner", "--project", "--region", "--temp_location", "--staging_location", "--job_name", "--labels"),
    *("--sdk_container_image", "--worker_machine_type", "--machine_type", "--max_num_workers"),
    *("--service_account_email", "--network", "--subnetwork"),
)
"""What is composed here; Beam would take the last of two, and a job go elsewhere than it says."""


class Launcher(StrEnum):
    """Where the process runs that starts the Dataflow job and watches it."""

    DOCKER = "docker"
    VERTEX = "vertex"


@dataclass(frozen=True)
class Workers:
    """The machines that Dataflow starts; None where it chooses."""

    machine_type: Annotated[
        str, typer.Option(help="Of Dataflow's workers; each of its cores runs a process.")
    ] = "n2-standard-4"
    max_workers: Annotated[
        int,
        typer.Option(min=1, max=1000, help="Dataflow starts as many as the work is worth, up to so many."),
    ] = 20
    service_account: Annotated[
        str | None,
        typer.Option(
            envvar=["CHRYSALIS_DATAFLOW_ACCOUNT", "CHRYSALIS_SERVICE_ACCOUNT"],
            help="The e-mail that workers run as.",
        ),
    ] = None
    launcher_account: Annotated[
        str | None,
        typer.Option(
            envvar="CHRYSALIS_SERVICE_ACCOUNT",
            help="With --launcher vertex: the e-mail that the custom job runs as. It needs "
            "roles/dataflow.developer, and roles/iam.serviceAccountUser on the workers' account.",
        ),
    ] = None
    network: Annotated[
        str | None, typer.Option(envvar="CHRYSALIS_NETWORK", help="The network's name, of this project.")
    ] = None
    subnetwork: Annotated[
        str | None, typer.Option(help="Instead of --network: regions/REGION/subnetworks/NAME, or its URL.")
    ] = None


def dataflow_task(request: Request, workers: Workers, where: Settings, now: datetime) -> Task:
    """Compose what the image is told: the records stage, on Dataflow.

    Raises:
        InputError: an option can't be used, or contradicts what is composed here.
    """
    for argument in request.extra:
        flag = argument.split("=", 1)[0]
        if flag in _OURS:
            raise InputError(f"{flag} is composed of the settings: leave it out")
    records = task(request)
    options = {
        "runner": "DataflowRunner",
        "project": where.project,
        "region": where.region,
        "temp_location": scratch(request.root, "dataflow"),
        "sdk_container_image": where.image(IMAGE),
        "job_name": display_name(kind="records", task=records, now=now).replace(
            "_", "-"
        ),  # Dataflow takes none
        "worker_machine_type": workers.machine_type,
        "max_num_workers": str(workers.max_workers),
        "service_account_email": workers.service_account,
        "network": None if workers.subnetwork else _last(workers.network),
        "subnetwork": workers.subnetwork,
    }
    given = tuple(f"--{name}={value}" for name, value in options.items() if value is not None)
    labels = APP | {key: label(value) for key, value in records.labels.items()}
    named = tuple(f"--labels={key}={value}" for key, value in labels.items())
    return replace(records, image=IMAGE, arguments=(*records.arguments, *given, *named))


def docker_command(work: Task, image: str) -> list[str]:
    """Run the task's image here, with this machine's credentials, mounted and read-only."""
    return ["docker", "run", "--rm", *_credentials(), image, *work.arguments]


def _credentials() -> list[str]:
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


def _last(network: str | None) -> str | None:
    """Dataflow wants a network's name, where Vertex AI wants projects/NUMBER/global/networks/NAME."""
    return network.rpartition("/")[2] if network else None


def run_docker(command: list[str]) -> None:
    """Become the command: its exit code is ours, and an interrupt cancels the job.

    Raises:
        InputError: there is no docker here.
    """
    if shutil.which("docker") is None:
        raise InputError("there is no docker on this machine: give --launcher vertex")
    os.execvp(command[0], command)  # noqa: S606


@grouped
def dataflow_cli(
    extra: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- EXTRA", help="Further options of build_records, and of Beam."),
    ] = None,
    *,
    dataset: Dataset = "digits",
    root: Root = None,
    bucket: Bucket = None,
    launcher: Annotated[
        Launcher | None,
        typer.Option(
            help="docker, or a custom job of Vertex AI.  [default: docker, where there is one]",
            show_default=False,
        ),
    ] = None,
    workers: Workers,
    where: Where,
    again: Again = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the command, or the custom job's request.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="With --launcher vertex: follow the custom job.")
    ] = True,
) -> None:
    """Shard a processed data set on Dataflow: interim/DATASET → processed/DATASET, as `submit records` does.

    The shards are the same bytes as with any other runner. The same command again builds what is missing.
    """
    settings = where.settings()
    request = Request(Stage.RECORDS, root_uri(root, bucket), dataset, extra=tuple(extra or ()))
    work = dataflow_task(request, workers, settings, datetime.now(UTC))
    if (launcher or _usual_launcher()) is Launcher.VERTEX:
        options = JobOptions(machine_type=LAUNCHER_MACHINE, service_account=workers.launcher_account)
        send_task(work, options, settings, dry_run=dry_run, wait=wait, again=again)
        return
    command = docker_command(work, settings.image(IMAGE))
    refuse_secrets("\n".join(work.arguments))
    if dry_run:
        log("would run", image=settings.image(IMAGE), output=work.output)
        typer.echo(shlex.join(command))
        return
    log("starting", image=settings.image(IMAGE), output=work.output)
    run_docker(command)


def _usual_launcher() -> Launcher:
    return Launcher.DOCKER if shutil.which("docker") else Launcher.VERTEX
