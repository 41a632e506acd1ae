"""What is told of the steps of a pipeline's run while it is followed, and why those that failed did."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from contracts.console import log
from vertex.client import brief, enum_name
from vertex.jobs.service import number

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1.types import PipelineTaskDetail

    from vertex.jobs.kinds import Job

_UNTOLD: Final = ("STATE_UNSPECIFIED", "NOT_TRIGGERED", "PENDING")


class Steps:
    """What has been told of a run's steps; other jobs have none."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    def show_new(self, job: "Job") -> None:
        """Tell of each step whose state is another than the last time, and of the job that runs it."""
        for step in _steps(job):
            state = enum_name(step.state)
            if state not in _UNTOLD and self._told.get(step.task_name) != state:
                self._told[step.task_name] = state
                own = step.executor_detail.container_detail.main_job
                log("step", step=step.task_name, state=state, **({"job": own} if own else {}))


def complaints(job: "Job") -> list[str]:
    """Why steps failed, as the service says it; [] of a job without steps."""
    return [
        f"{step.task_name}: {brief(step.error.message).rstrip('.')}"
        for step in _steps(job)
        if step.error.message
    ]


def _steps(job: "Job") -> "Iterator[PipelineTaskDetail]":
    """The steps; the run itself may be among the tasks, by its own name."""
    if hasattr(job, "job_detail"):
        own = ("", job.display_name, number(job))
        yield from (step for step in job.job_detail.task_details if step.task_name not in own)
