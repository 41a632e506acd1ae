"""Sending a job: never beside one that fills the same folder."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

import typer

from contracts.console import Terminated, log
from contracts.errors import InputError, StageError
from vertex.jobs import service
from vertex.jobs.follow import ended_by, follow, left_running
from vertex.jobs.service import JobService
from vertex.settings import Settings
from vertex.stages import outputs
from vertex.wire import request_json, show_request

if TYPE_CHECKING:
    from vertex.jobs.kinds import Job


AGAIN: Final = "--again (of make: VERTEX_ARGS=--again)"


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


def send(job: "Job", settings: Settings, sending: Sending, **about: Any) -> None:
    """Submit a job and follow it to its end, unless told otherwise.

    Args:
        job: a custom job, a tuning job or a pipeline's run.
        settings: of the service.
        sending: with `dry_run` the request's body is printed instead.
        about: what to tell of it.

    Raises:
        InputError: one that fills the same folder is active, or the service refuses.
        StageError: the service can't be reached, or the job ended otherwise than well.
    """
    if sending.dry_run:
        show_request(settings, service.path(settings, job), request_json(job), **about)
        return
    vertex_ai = JobService(settings)
    if not sending.again:
        _check_alone(vertex_ai, job)
    try:
        job = vertex_ai.create(job)
    except (KeyboardInterrupt, Terminated) as stop:
        log(
            "interrupted while submitting: `make jobs` says whether the job is there",
            name=job.display_name,
        )
        raise ended_by(stop) from stop
    with left_running(job):
        log("submitted", **about, console=service.console_link(job))
        if not sending.again:
            _give_way(vertex_ai, job)
    if sending.wait:
        follow(vertex_ai, job)
    else:
        log("not waiting", follow=f"make follow JOB={job.name}")


def folders(job: "Job") -> set[str]:
    """The folders that a job fills: the stage's --output, or where the service tells it to.

    A pipeline fills those of all its stages.
    """
    if hasattr(job, "runtime_config"):
        values = job.runtime_config.parameter_values
        own = [values.get(name) for name in ("root", "dataset", "run_id")]
        try:
            return outputs(*own) if all(isinstance(value, str) for value in own) else set()
        except InputError:  # somebody else's pipeline, which calls other things so
            return set()
    spec = job.job_spec if hasattr(job, "job_spec") else job.trial_job_spec
    arguments = list(spec.worker_pool_specs[0].container_spec.args) if spec.worker_pool_specs else []
    given = arguments[arguments.index("--output") + 1 :] if "--output" in arguments else []
    folder = str(given[0] if given else spec.base_output_directory.output_uri_prefix).rstrip("/")
    return {folder} if folder else set()


def _check_alone(vertex_ai: JobService, job: "Job") -> None:
    own = folders(job)
    for rival in vertex_ai.active():
        if shared := folders(rival) & own:
            raise InputError(
                f"{rival.display_name} ({service.state(rival)}, {service.console_link(rival)}) fills "
                f"{min(shared)}, and a folder has one writer. Follow it: make follow "
                f"JOB={rival.name}; or submit all the same: {AGAIN}"
            )
    # A training goes on with what it finds in its folder; a new study's trials have other values there.
    for earlier in vertex_ai.of_same_study(job):
        if shared := folders(earlier) & own:
            raise InputError(
                f"{min(shared)} has the trials of {earlier.display_name}, in the way of new "
                f"ones: choose another --study; or submit all the same: {AGAIN}"
            )


def _give_way(vertex_ai: JobService, job: "Job") -> None:
    """Cancel a job where an older one fills its folder, which somebody submitted at the same moment.

    Raises:
        InputError: it was cancelled.
    """
    try:
        active = list(vertex_ai.active(patient=False))
    except (InputError, StageError) as error:  # it was alone a moment ago, which nearly always is still so
        log("whether another one began at the same moment isn't known", reason=error)
        return
    own = folders(job)
    for rival in active:
        older = (service.created(rival), rival.name) < (service.created(job), job.name)
        if rival.name != job.name and older and (shared := folders(rival) & own):
            both = f"{rival.display_name} was submitted at the same moment and fills {min(shared)}, and a "
            try:
                vertex_ai.cancel(job.name)
            except (InputError, StageError) as error:
                raise StageError(
                    f"{both}folder has one writer: make cancel JOB={job.name} (it couldn't be done: {error})"
                ) from error
            raise InputError(
                f"{both}folder has one writer: {job.display_name} is cancelled. Follow the other: make "
                f"follow JOB={rival.name}"
            )
