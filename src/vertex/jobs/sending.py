"""How a composed job is sent: whether at all, beside which others, and how long it is watched."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from vertex.jobs import service
from vertex.jobs.submission import send
from vertex.settings import Settings
from vertex.wire import request_json, show_request

if TYPE_CHECKING:
    from vertex.jobs.service import Job


@dataclass(frozen=True)
class Sending:
    """The options, as a group (`vertex.option_groups`)."""

    title: ClassVar[str] = "Submission"

    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Print what would be sent or run, and do neither; a request's enums are numbers.",
        ),
    ] = False
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the job until it ends.")] = True
    again: Annotated[
        bool, typer.Option("--again", help="Submit though a job that fills the same folder is active.")
    ] = False


def send_or_show(job: "Job", settings: Settings, sending: Sending, **about: Any) -> None:
    """Send a job and follow it; with `dry_run`, print the request's body instead.

    Args:
        job: what is sent.
        settings: of the service.
        sending: how.
        about: what to tell of it.

    Raises:
        InputError: one that fills the same folder is active, or the service refuses.
        StageError: the service can't be reached, or the job ended otherwise than well.
    """
    if sending.dry_run:
        show_request(settings, service.path(settings, job), request_json(job), **about)
    else:
        send(job, settings, again=sending.again, wait=sending.wait, **about)
