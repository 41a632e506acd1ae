"""The command line of the doctor: settings in, one line for each finding out."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Annotated

import typer

from contracts.console import log
from contracts.errors import InputError
from vertex.doctor import accounts, keys, machine, project, resources, shards
from vertex.doctor.examination import examine
from vertex.doctor.finding import Check, Finding, Status
from vertex.doctor.question import Question
from vertex.google_api import connect
from vertex.option_groups import grouped

EXAMPLES = """\b
Examples:
  python -m vertex doctor
  python -m vertex doctor --local --root data --dataset flowers --gpu 2 --batch-size 96
  python -m vertex doctor --gpu 4 --accelerator NVIDIA_L4 --spot
  python -m vertex doctor --gpu 1 --machine-type g2-standard-12 --max-wait 6h
  python -m vertex doctor --json | jq '.[] | select(.status != "ok")'
"""


def checks_here(asked: Question) -> list[Check]:
    """What this machine can tell."""
    return [
        Check("GPUs", partial(machine.look_at_gpus, asked, needed=asked.here)),
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
        "service account": accounts.look_at_service_account,
        "serving account": accounts.look_at_serving_account,
        "W&B secret": keys.look_at_wandb_secret,
        "API key": keys.look_at_api_key,
    }
    return first + examine([Check(name, partial(look, google, asked)) for name, look in looks.items()])


def show(findings: Sequence[Finding], *, as_json: bool) -> None:
    """Print findings to standard output: a line each, or one JSON array."""
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
        return
    for finding in findings:
        typer.echo(f"{finding.status:<8} {finding.check:<16} {' '.join(finding.message.split())}")


@grouped
def doctor_cli(
    *, asked: Question, as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False
) -> None:
    """Look for whatever could keep a stage from running, here and in the project.

    A line each: ok, warning, or failed with what to do. It changes nothing, and exits with 1 if any failed.
    """
    findings = examine(checks_here(asked))
    if not asked.here:
        findings += findings_of_the_project(asked)
    show(findings, as_json=as_json)
    counts = Counter(str(finding.status) for finding in findings)
    where = "this machine" if asked.here else f"this machine and {asked.project}"
    log(f"looked at {where}{'' if asked.project else ', as no project is set'}", **counts)
    if counts[Status.FAILED]:
        raise typer.Exit(1)
