"""A job as its machines see it: what to run, and how to tell the service what becomes of it."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from rehearsal.vertex_ai.logs import Logs
from rehearsal.vertex_ai.progress import Progress

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1 import types


LAST: Final = ("CANCELLING", "CANCELLED", "SUCCEEDED", "FAILED")


class JobFailedError(Exception):
    """What ran went wrong; the text is the job's error message."""


@dataclass
class Job:
    """A custom job, or one trial of a tuning job.

    Attributes:
        name: projects/NUMBER/locations/REGION/customJobs/… (or hyperparameterTuningJobs/…).
        number: the last part of the name; log entries are filed under it.
        display_name: as the request gave it.
        spec: what to run, as the request gave it: no parameters of a trial among its arguments.
        labels: as the request gave them.
        trial: a trial's id, "1", "2" …; None for a custom job.
        parameters: what the study suggests for the trial: float, int or str by parameter id.
        cancelled: set when the job was cancelled, or the server stops.
    """

    name: str
    number: str
    display_name: str
    spec: "types.CustomJobSpec"
    labels: dict[str, str]
    trial: str | None = None
    parameters: dict[str, object] = field(default_factory=dict)
    cancelled: threading.Event = field(default_factory=threading.Event)
    progress: Progress = field(default_factory=lambda: Progress("PENDING"), repr=False)
    logs: Logs = field(default_factory=Logs, repr=False)
    measured: dict[int, dict[str, float]] = field(default_factory=dict, repr=False)

    def tell(self, state: str) -> None:
        """Report a state, as in "RUNNING".

        The service has no state of its own for a restart, so "RESTARTING" is shown as "PENDING".
        """
        if self.progress.last not in LAST:  # what is late is no news
            self.progress.add("PENDING" if state == "RESTARTING" else state)

    def log(self, message: str, severity: str = "INFO", replica: str = "workerpool0-0") -> None:
        """Write a line to Cloud Logging, as a machine's output is."""
        self._is_running()
        self.logs.write(self.number, message, severity=severity, replica=replica, trial=self.trial)

    def measure(self, metric_id: str, value: float, step: int) -> None:
        """Report a trial's metric, as cloudml-hypertune does."""
        self._is_running()
        self.measured.setdefault(step, {})[metric_id] = value

    def arguments(self) -> list[str]:
        """A trial's parameters as the service appends them to the container's: --id=value, 64.0 as 64."""
        return [f"--{name}={_written(value)}" for name, value in self.parameters.items()]

    def _is_running(self) -> None:
        if "RUNNING" not in self.progress.reached:
            self.tell("RUNNING")


def _written(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def succeed(job: Job) -> None:
    """Run nothing, well."""


class Machines:
    """The threads in which jobs run."""

    def __init__(self) -> None:
        self._jobs: list[tuple[Job, threading.Thread]] = []

    def start(self, job: Job, run: Callable[[Job], None], ended: Callable[[Job, str, str], Any]) -> None:
        """Run a job in a thread of its own; `ended(job, state, message)` is called when it has."""
        thread = threading.Thread(target=_run, args=(job, run, ended), name=f"job {job.number}", daemon=True)
        self._jobs.append((job, thread))
        thread.start()

    def stop(self, seconds: float) -> Iterable[str]:
        """Cancel what still runs and wait for its end; the names of the jobs that didn't heed it."""
        for job, _ in self._jobs:
            job.cancelled.set()
        for _, thread in self._jobs:
            thread.join(seconds)
        return [job.display_name for job, thread in self._jobs if thread.is_alive()]


def _run(job: Job, run: Callable[[Job], None], ended: Callable[[Job, str, str], Any]) -> None:
    state, message = "FAILED", "Internal error occurred. Please retry in a few minutes."
    try:
        run(job)
        job._is_running()
        state, message = "SUCCEEDED", ""
    except JobFailedError as error:
        message = str(error)
    finally:  # any other exception is the rehearsal's own fault: the thread ends with it
        if job.cancelled.is_set():
            state, message = "CANCELLED", "CANCELED"
        ended(job, state, message)
