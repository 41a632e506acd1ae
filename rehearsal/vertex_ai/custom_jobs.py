"""Custom jobs: create, look, list, cancel, delete."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from google.cloud.aiplatform_v1 import types
from google.rpc import status_pb2

from rehearsal.vertex_ai.bodies import copy
from rehearsal.vertex_ai.checks import check_job_spec, check_naming
from rehearsal.vertex_ai.collection import Collection, new_number, page
from rehearsal.vertex_ai.errors import not_now
from rehearsal.vertex_ai.job import Job, Machines
from rehearsal.vertex_ai.logs import Logs
from rehearsal.vertex_ai.operations import Operations
from rehearsal.vertex_ai.progress import Progress
from rehearsal.vertex_ai.routes import LOCATION, Call, Route, job_routes

ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")


class CustomJobs:
    """Each job runs in a thread of its own from the moment it is created."""

    def __init__(
        self, run: Callable[[Job], None], machines: Machines, logs: Logs, operations: Operations
    ) -> None:
        self.run, self.machines, self.logs, self.operations = run, machines, logs, operations
        self.jobs: Collection[tuple[Job, Any]] = Collection("customJobs")

    def routes(self) -> list[Route]:
        """Who answers what."""
        return [
            *job_routes(self, self.jobs.kind, types.CustomJob, types.CancelCustomJobRequest),
            Route("DELETE", f"{LOCATION}/{self.jobs.kind}/{{id}}", self.delete),
        ]

    def create(self, call: Call) -> Any:
        """Take a job and start it."""
        message = call.message
        check_naming(message)
        check_job_spec(message.job_spec)
        number = new_number()
        message.name = self.jobs.name(call.where, number)
        message.create_time = message.update_time = datetime.now(UTC)
        job = Job(
            name=message.name,
            number=number,
            display_name=message.display_name,
            spec=message.job_spec,
            labels=dict(message.labels),
            progress=Progress("QUEUED", "PENDING"),
            logs=self.logs,
        )
        self.jobs.add(message.name, (job, message))
        self.machines.start(job, self.run, lambda _, state, text: finish(job.progress, message, state, text))
        return shown(message, job.progress.shown)

    def get(self, call: Call) -> Any:
        """Show a job in its next state."""
        job, message = self.jobs.get(call.where)
        return shown(message, job.progress.look())

    def list(self, call: Call) -> Any:
        """List jobs as they are, which is no look: a job's states are for those who follow it."""
        jobs = [shown(message, job.progress.last) for job, message in self.jobs.under(call.where)]
        return page(jobs, call.query, "custom_jobs", types.ListCustomJobsResponse)

    def cancel(self, call: Call) -> dict[str, Any]:
        """Ask a job to stop."""
        job, message = self.jobs.get(call.where)
        cancel(job.progress, message.name, job.cancelled)
        return {}

    def delete(self, call: Call) -> Any:
        """Forget a job that has ended."""
        job, message = self.jobs.get(call.where)
        if job.progress.last not in ENDED:
            raise not_now(f"{message.name} is {job.progress.last}: only jobs that have ended can be deleted")
        self.jobs.remove(call.where)
        return self.operations.start(message.name, types.DeleteOperationMetadata(), lambda: None)


def finish(progress: Progress, message: Any, state: str, text: str) -> None:
    """Put down how a job ended."""
    message.end_time = message.update_time = datetime.now(UTC)
    if text:
        message.error = status_pb2.Status(code=1 if state == "CANCELLED" else 3, message=text)
    progress.add(state)


def cancel(progress: Progress, name: str, cancelled: threading.Event) -> None:
    """Pass a wish to stop on; a job that has ended can't."""
    if progress.last in ENDED:
        raise not_now(f'The job "{name}" is in state JOB_STATE_{progress.last} and cannot be canceled.')
    progress.add("CANCELLING")
    cancelled.set()


def shown(message: Any, state: str) -> Any:
    """The job as it is seen in a state: its end only once it is there."""
    view = copy(message)
    view.state = f"JOB_STATE_{state}"
    if state not in ENDED:
        view.end_time = view.error = None
    return view
