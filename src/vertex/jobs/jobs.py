"""`python -m vertex list` and `cancel`: which jobs there are, and an end to one of them."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from contracts.console import log, printable
from vertex.jobs import service
from vertex.jobs.follow import Name
from vertex.jobs.service import JobService
from vertex.option_groups import grouped
from vertex.settings import Service

if TYPE_CHECKING:
    from vertex.jobs.kinds import Job

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
    """List our jobs, the newest first: when, state, number (a pipeline's run has none) and display name."""
    vertex_ai = JobService(where.settings())
    since = datetime.now(UTC) - timedelta(days=days)
    jobs = list(vertex_ai.active() if active else vertex_ai.ours(since))
    for job in sorted(jobs, key=service.created, reverse=True):
        typer.echo(line(job))
    if not jobs:
        log(f"no jobs in {vertex_ai.settings.parent}")


@grouped
def cancel_cli(job: Name, where: Service) -> None:
    """End a job. What a training saved stays, and the same submission again carries on from there."""
    vertex_ai = JobService(where.settings(job))
    found = vertex_ai.find(job)
    if service.ending(found):
        log("ended already, or about to", name=found.display_name, state=service.state(found))
        return
    vertex_ai.cancel(found.name)
    log("cancelling", name=found.display_name, console=service.console_link(found))


def line(job: "Job") -> str:
    """A job in one line."""
    number = service.number(job)
    number = "" if number == job.display_name else number  # a pipeline's run has none
    name = " ".join(printable(job.display_name).split())
    return f"{service.created(job):%Y-%m-%d %H:%M}  {service.state(job):9}  {number:>19}  {name}"
