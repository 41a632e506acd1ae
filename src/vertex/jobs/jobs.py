"""`python -m vertex list` and `cancel`: which jobs there are, and an end to one of them."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from contracts.console import log
from vertex.client import connect
from vertex.jobs import service
from vertex.jobs.follow import Name
from vertex.option_groups import grouped
from vertex.settings import Service

if TYPE_CHECKING:
    from vertex.jobs.service import Job

LIST_EXAMPLES = """\b
Examples:
  python -m vertex list
  python -m vertex list --active
"""
CANCEL_EXAMPLES = """\b
Examples:
  python -m vertex cancel chrysalis-train-digits-20261121-093000
"""


@grouped
def list_cli(
    active: Annotated[
        bool, typer.Option("--active", help="Only those that haven't ended, however old.")
    ] = False,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Only those of the last days.")] = 30,
    where: Service = Service(),  # noqa: B008 - frozen
) -> None:
    """List our jobs, the newest first: when, state, number and display name."""
    from google.cloud.aiplatform_v1 import JobServiceClient

    settings = where.settings()
    client = connect(JobServiceClient, settings)
    since = datetime.now(UTC) - timedelta(days=days)
    jobs = list(service.active(client, settings) if active else service.ours(client, settings, since))
    for job in sorted(jobs, key=_created, reverse=True):
        typer.echo(line(job))
    if not jobs:
        log(f"no jobs in {settings.parent}")


@grouped
def cancel_cli(job: Name, where: Service) -> None:
    """End a job. What a training saved stays, and the same submission again carries on from there."""
    from google.cloud.aiplatform_v1 import JobServiceClient

    settings = where.settings(job)
    client = connect(JobServiceClient, settings)
    found = service.find(client, settings, job)
    if service.ended(found):
        log("ended already", name=found.display_name, state=service.state(found))
        return
    service.cancel(client, found.name)
    log("cancelling", name=found.display_name, console=service.console_link(found))


def line(job: "Job") -> str:
    """A job in one line."""
    return (
        f"{_created(job):%Y-%m-%d %H:%M}  {service.state(job):9}  {service.number(job):>19}  "
        f"{job.display_name}"
    )


def _created(job: "Job") -> datetime:
    return job.create_time or datetime.fromtimestamp(0, UTC)
