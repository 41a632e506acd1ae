"""`python -m vertex dataflow`: the records stage on Dataflow, many machines that Beam starts and ends.

Launcher and workers need one version of Python, so that the job is started inside the very image that its
workers run: with docker on this machine, or in a custom job of Vertex AI where there is no docker.
"""

import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Final

import typer

from contracts.errors import InputError
from vertex.folders import Folders, root_uri, scratch
from vertex.jobs.docker import run_docker
from vertex.jobs.job import APP, display_name, label
from vertex.jobs.job_options import JobOptions
from vertex.jobs.submission import Sending
from vertex.jobs.submit import send_task
from vertex.option_groups import grouped
from vertex.settings import Network, Settings, Where
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

    title: ClassVar[str] = "Dataflow"

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
    network: Network = None
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
        # Dataflow takes no underscores.
        "job_name": display_name(kind="records", task=records, now=now).replace("_", "-"),
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


@grouped
def dataflow_cli(
    extra: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- EXTRA", help="Further options of build_records, and of Beam."),
    ] = None,
    *,
    launcher: Annotated[
        Launcher | None,
        typer.Option(
            help="docker, which waits for the end, or a custom job of Vertex AI.  "
            "[default: docker, where there is one]",
            show_default=False,
        ),
    ] = None,
    folders: Folders,
    sending: Sending,
    workers: Workers,
    where: Where,
) -> None:
    """Shard a processed data set on Dataflow: interim/DATASET → processed/DATASET, as `submit records` does.

    The shards are the same bytes as with any other runner. The same command again builds what is missing.
    """
    settings = where.settings()
    request = Request(Stage.RECORDS, root_uri(folders), folders.dataset, extra=tuple(extra or ()))
    work = dataflow_task(request, workers, settings, datetime.now(UTC))
    if (launcher or _usual_launcher()) is Launcher.VERTEX:
        options = JobOptions(machine_type=LAUNCHER_MACHINE, service_account=workers.launcher_account)
        send_task(work, options, settings, sending)
    elif not sending.wait or sending.again:
        raise InputError("--no-wait and --again are of a job: give --launcher vertex, too")
    else:
        run_docker(work, settings.image(IMAGE), dry_run=sending.dry_run)


def _usual_launcher() -> Launcher:
    return Launcher.DOCKER if shutil.which("docker") else Launcher.VERTEX


def _last(network: str | None) -> str | None:
    """Dataflow wants a network's name, where Vertex AI wants projects/NUMBER/global/networks/NAME."""
    return network.rpartition("/")[2] if network else None
