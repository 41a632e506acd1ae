"""`python -m vertex follow`: a job's states, what its hosts say, its trials or steps, until it ends."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from contracts.console import Terminated, log
from contracts.errors import StageError
from vertex.client import brief
from vertex.jobs import service
from vertex.jobs.logs import Logs
from vertex.jobs.service import JobService
from vertex.jobs.steps import Steps, complaints
from vertex.option_groups import grouped
from vertex.settings import Service
from vertex.tuning.trials import Trials, show_best

if TYPE_CHECKING:
    from vertex.jobs.kinds import Job

EXAMPLES = """\b
Examples:
  python -m vertex follow chrysalis-train-digits-20261121-093000
  python -m vertex follow 1234567890123456789
  python -m vertex follow projects/123/locations/europe-west4/customJobs/1234567890123456789
"""

Name = Annotated[str, typer.Argument(metavar="JOB", help="Its number, its name or its display name.")]


class HungUp(BaseException):
    """The terminal went away (SIGHUP)."""


@grouped
def follow_cli(job: Name, where: Service) -> None:
    """Follow a job to its end: its states, its log, a study's trials, a pipeline's steps.

    Exit code 0: it succeeded; 1: it didn't, and the last line says why. Ctrl-C leaves the job running.
    """
    vertex_ai = JobService(where.settings(job))
    found = vertex_ai.find(job)
    log("following", name=found.display_name, console=service.console_link(found))
    follow(vertex_ai, found)


def follow(vertex_ai: JobService, job: "Job") -> "Job":
    """Report what a job does until it ends; interrupted, say how to go on, and leave it running.

    Returns:
        The job as it ended.

    Raises:
        StageError: it ended otherwise than well; the message is the job's own, and its stage's.
    """
    started, seen = time.monotonic(), ""
    logs, trials, steps = Logs(vertex_ai.settings, job), Trials(), Steps()
    with left_running(job):
        for look in vertex_ai.looks(job.name):
            job = look
            state = service.state(job)
            if service.ended(job):
                logs.show_last()
            trials.show_new(job)
            steps.show_new(job)
            if state != seen:
                seen = state
                log("job", state=state, seconds=round(time.monotonic() - started))
            if not service.ended(job):
                logs.show_new()
    if trials.any:
        show_best(job)
    if state != "SUCCEEDED":
        usual = "it was cancelled" if state == "CANCELLED" else "the service gives no reason"
        given = brief(job.error.message).rstrip(".") or usual
        reason = "; ".join(filter(None, [given, *complaints(job), logs.complaint(job)]))
        raise StageError(f"job {job.display_name} {state}: {reason} (logs: {service.console_link(job)})")
    return job


@contextmanager
def left_running(job: "Job") -> Iterator[None]:
    """Where following is interrupted, say that the job goes on; the process ends as the signal asks."""
    before = signal.getsignal(signal.SIGHUP)
    if before is not signal.SIG_IGN:  # as nohup sets it
        signal.signal(signal.SIGHUP, _hang_up)
    try:
        yield
    except (KeyboardInterrupt, Terminated, HungUp) as stop:
        try:
            log(
                "no longer watching; the job goes on",
                follow=f"make follow JOB={job.name}",
                cancel=f"make cancel JOB={job.name}",
                console=service.console_link(job),
            )
        except OSError:  # there is no terminal any more, and Python's own last words would fail, too
            nowhere = os.open(os.devnull, os.O_WRONLY)
            for stream in (1, 2):
                os.dup2(nowhere, stream)
        raise ended_by(stop) from stop
    finally:
        signal.signal(signal.SIGHUP, before)


def ended_by(stop: BaseException) -> SystemExit:
    """The end that a signal asked for, once what there is to say has been said."""
    signals: dict[type[BaseException], int] = {
        KeyboardInterrupt: signal.SIGINT,
        Terminated: signal.SIGTERM,
        HungUp: signal.SIGHUP,
    }
    return SystemExit(128 + signals[type(stop)])


def _hang_up(_signal: int, _frame: Any) -> NoReturn:
    raise HungUp
