"""`python -m vertex submit`: one stage as a custom job, submitted and followed until it ends."""

import signal
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer

from contracts.console import Terminated, log
from vertex import service
from vertex.client import connect
from vertex.job import custom_job
from vertex.machines import MACHINE_TYPES, machine
from vertex.settings import (
    ApiEndpoint,
    Bucket,
    Images,
    Project,
    Region,
    Root,
    Settings,
    Tag,
    root_uri,
    settings,
)
from vertex.stages import Request, Stage, task
from vertex.wire import request_json, show_request

EXAMPLES = """\b
Examples:
  export CHRYSALIS_PROJECT=my-project CHRYSALIS_REGION=europe-west4
  export CHRYSALIS_IMAGES=europe-west4-docker.pkg.dev/my-project/chrysalis
  python -m vertex submit download --root gs://bucket/run --dataset digits
  python -m vertex submit process --root gs://bucket/run --dataset digits -- --seed 1
  python -m vertex submit records --root gs://bucket/run --dataset digits --machine-type n1-standard-16
  python -m vertex submit train --root gs://bucket/run --dataset digits --gpu 4 -- --epochs 20
  python -m vertex submit train --root gs://bucket/run --dataset digits --gpu 1 --spot --dry-run
"""


@dataclass(frozen=True)
class Hardware:
    """What the job runs on and as; None where the option wasn't given."""

    machine_type: str | None = None
    accelerator: str | None = None
    spot: bool = False
    service_account: str | None = None


def submit(request: Request, hardware: Hardware, where: Settings, *, dry_run: bool, wait: bool) -> None:
    """Send `request` as a custom job and follow it; with `dry_run`, print the request's body instead."""
    work = task(request)
    computer = machine(work.gpu, hardware.accelerator, hardware.machine_type)
    job = custom_job(
        work,
        computer,
        where,
        now=datetime.now(UTC),
        spot=hardware.spot,
        service_account=hardware.service_account,
    )
    summary = {
        "name": job.display_name,
        "image": where.image(work.image),
        "machine": computer.type,
        "accelerators": f"{computer.accelerator_count} {computer.accelerator}"
        if computer.accelerator
        else "none",
        "output": work.output,
    }
    if dry_run:
        show_request(where, f"{where.parent}/customJobs", request_json(job), **summary)
        return
    from google.cloud.aiplatform_v1 import JobServiceClient

    client = connect(JobServiceClient, where)
    job = service.create(client, where, job)
    log("submitted", **summary, console=service.console_link(job))
    if wait:
        try:
            service.follow(client, job)
        except (KeyboardInterrupt, Terminated) as stop:
            log("no longer watching; the job goes on", console=service.console_link(job))
            number = signal.SIGINT if isinstance(stop, KeyboardInterrupt) else signal.SIGTERM
            raise SystemExit(128 + number) from stop


def submit_cli(
    stage: Annotated[Stage, typer.Argument(help="The stage to run.")],
    extra: Annotated[
        list[str] | None, typer.Argument(metavar="-- EXTRA", help="Further options of the stage itself.")
    ] = None,
    *,
    dataset: Annotated[str, typer.Option(help="The data set's name: it names the folders.")] = "digits",
    root: Root = None,
    bucket: Bucket = None,
    source: Annotated[
        str | None, typer.Option(help="download: where from; by default the catalogue's entry --dataset.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="train: the architecture.  [default: vgg16]")] = None,
    run_id: Annotated[str | None, typer.Option(help="train: the run's name.  [default: --model]")] = None,
    gpu: Annotated[
        int | None, typer.Option(min=0, help="train: GPUs in the machine; 0 is a CPU.  [default: 1]")
    ] = None,
    accelerator: Annotated[
        str | None, typer.Option(help=f"train: {', '.join(MACHINE_TYPES)}.  [default: NVIDIA_TESLA_T4]")
    ] = None,
    machine_type: Annotated[str | None, typer.Option(help="By default one that fits the GPUs.")] = None,
    spot: Annotated[bool, typer.Option("--spot", help="Cheaper, and may be interrupted.")] = False,
    service_account: Annotated[str | None, typer.Option(help="The e-mail that the job runs as.")] = None,
    project: Project = None,
    region: Region = None,
    images: Images = None,
    tag: Tag = "latest",
    api_endpoint: ApiEndpoint = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the request's body and send nothing.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the job until it ends.")] = True,
) -> None:
    """Run a stage on Vertex AI, on folders under one root in a bucket.

    The folders are those of the local commands: raw/DATASET, interim/DATASET, processed/DATASET and
    models/DATASET/RUN_ID. What stands behind -- goes to the stage as it is.
    """
    where = settings(project=project, region=region, images=images, tag=tag, api_endpoint=api_endpoint)
    request = Request(
        stage=stage,
        root=root_uri(root, bucket),
        dataset=dataset,
        source=source,
        model=model,
        run_id=run_id,
        gpu=gpu,
        extra=tuple(extra or ()),
    )
    hardware = Hardware(machine_type, accelerator, spot, service_account)
    submit(request, hardware, where, dry_run=dry_run, wait=wait)
