"""The command line of the doctor: settings in, one line for each finding out."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Annotated

import typer

from contracts.console import log
from contracts.errors import InputError
from vertex.doctor import machine, project, resources, shards
from vertex.doctor.examination import examine
from vertex.doctor.finding import Check, Finding, Status
from vertex.doctor.google_api import connect
from vertex.doctor.question import DEFAULT_BATCH_SIZE, Question
from vertex.machines import DEFAULT_ACCELERATOR, MACHINE_TYPES
from vertex.settings import Bucket, Images, Project, Region, Root, Tag
from vertex.stages import DEFAULT_MODEL

EXAMPLES = """\b
Examples:
  python -m vertex doctor
  python -m vertex doctor --local --root data --dataset flowers --gpu 2 --batch-size 96
  python -m vertex doctor --gpu 4 --accelerator NVIDIA_L4 --spot
  python -m vertex doctor --json | jq '.[] | select(.status != "ok")'
"""


def checks_here(asked: Question, *, local: bool) -> list[Check]:
    """What this machine can tell; `local` says whether the training is to run on it."""
    return [
        Check("GPUs", partial(machine.look_at_gpus, asked, needed=local)),
        Check("batch", partial(shards.look_at_batch, asked)),
        Check("data set", partial(shards.look_at_splits, asked)),
        Check("disk", partial(machine.look_at_disk, asked)),
        Check("W&B key", partial(machine.look_at_wandb, asked)),
        Check("docker", machine.look_at_docker),
    ]


def findings_of_the_project(asked: Question) -> list[Finding]:
    """What Google's services tell. Without credentials that hold, nothing else is asked."""
    try:
        google = connect(asked.project, asked.google_endpoint)
    except InputError as error:
        return [Finding("credentials", Status.FAILED, str(error))]
    first = examine([Check("credentials", partial(project.look_at_credentials, google))])
    if first[0].status is Status.FAILED:
        return first
    looks = {
        "APIs": project.look_at_services,
        "region": project.look_at_region,
        "quota": project.look_at_quota,
        "bucket": resources.look_at_bucket,
        "images": resources.look_at_images,
        "service account": resources.look_at_service_account,
        "W&B secret": resources.look_at_secret,
    }
    return first + examine([Check(name, partial(look, google, asked)) for name, look in looks.items()])


def show(findings: Sequence[Finding], *, as_json: bool) -> None:
    """Print findings to standard output: a line each, or one JSON array."""
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
        return
    for finding in findings:
        typer.echo(f"{finding.status:<8} {finding.check:<16} {' '.join(finding.message.split())}")


def doctor_cli(
    *,
    project_id: Project = None,
    region: Region = None,
    bucket: Bucket = None,
    images: Images = None,
    tag: Tag = "latest",
    service_account: Annotated[
        str | None, typer.Option(envvar="CHRYSALIS_SERVICE_ACCOUNT", help="The e-mail that jobs run as.")
    ] = None,
    wandb_secret: Annotated[
        str | None,
        typer.Option(envvar="CHRYSALIS_WANDB_SECRET", help="Secret Manager's, as SECRET or SECRET:VERSION."),
    ] = None,
    root: Root = None,
    dataset: Annotated[str, typer.Option(help="The data set that is to be trained on.")] = "digits",
    model: Annotated[str, typer.Option(help="The architecture whose images must be there.")] = DEFAULT_MODEL,
    gpu: Annotated[
        int | None, typer.Option(min=0, help="GPUs of each host.  [default: what is here; a job's 1]")
    ] = None,
    hosts: Annotated[int, typer.Option(min=1, help="Hosts that train together.")] = 1,
    batch_size: Annotated[int, typer.Option(min=1, help="The training's.")] = DEFAULT_BATCH_SIZE,
    accelerator: Annotated[str, typer.Option(help=f"{', '.join(MACHINE_TYPES)}.")] = DEFAULT_ACCELERATOR,
    spot: Annotated[bool, typer.Option("--spot", help="Spot machines, which have their own quota.")] = False,
    google_endpoint: Annotated[
        str | None,
        typer.Option(envvar="CHRYSALIS_GOOGLE_ENDPOINT", help="Another address of all of Google's services."),
    ] = None,
    secrets_endpoint: Annotated[
        str | None,
        typer.Option(envvar="CHRYSALIS_SECRETS_ENDPOINT", help="Another address of Secret Manager."),
    ] = None,
    local: Annotated[
        bool, typer.Option("--local", help="This machine only.  [default: where no project is set]")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """Look for whatever could keep a stage from running, here and in the project.

    A line each: ok, warning, or failed with what to do. It changes nothing, and exits with 1 if any failed.
    """
    if accelerator not in MACHINE_TYPES:
        raise InputError(f"expected --accelerator to be one of {', '.join(MACHINE_TYPES)}; got {accelerator}")
    asked = Question(
        project=project_id,
        region=region,
        bucket=bucket,
        images=images,
        tag=tag,
        service_account=service_account,
        wandb_secret=wandb_secret,
        root=root or (f"gs://{bucket.removeprefix('gs://')}" if bucket and not local else "data"),
        dataset=dataset,
        model=model,
        gpu=gpu,
        hosts=hosts,
        batch_size=batch_size,
        accelerator=accelerator,
        spot=spot,
        google_endpoint=google_endpoint,
        secrets_endpoint=secrets_endpoint,
    )
    local = local or not project_id
    findings = examine(checks_here(asked, local=local))
    if not local:
        findings += findings_of_the_project(asked)
    show(findings, as_json=as_json)
    counts = {status: sum(finding.status is status for finding in findings) for status in Status}
    told = {f"{status}": count for status, count in counts.items()}
    log("looked at this machine only, as no project is set" if not project_id else "looked", **told)
    if counts[Status.FAILED]:
        raise typer.Exit(1)
