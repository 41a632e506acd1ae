"""How long a job may take and wait, and on machines that may be taken away or that stay."""

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from contracts.errors import InputError
from vertex.jobs.job_options import JobOptions

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1.types import Scheduling

LONGEST = timedelta(days=7)
"""That the service allows."""

_LENGTH = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")


def scheduling(options: JobOptions, workers: int) -> "Scheduling | None":
    """Compose a job's scheduling; None where all of it is the service's default.

    Raises:
        InputError: options can't be read, or contradict each other.
    """
    from google.cloud.aiplatform_v1.types import Scheduling

    if options.spot and options.max_wait is not None:
        raise InputError("--max-wait is a flexible start on standard machines: leave out either it or --spot")
    found = Scheduling(restart_job_on_worker_restart=_restart(options, workers))
    if options.spot:
        found.strategy = Scheduling.Strategy.SPOT
    if options.max_wait is not None:
        found.strategy = Scheduling.Strategy.FLEX_START
        found.max_wait_duration = duration(options.max_wait, "--max-wait")
    if options.timeout is not None:
        found.timeout = duration(options.timeout, "--timeout")
        if not found.timeout:
            raise InputError(f"--timeout {options.timeout} would end the job at once: give it some time")
    return found if found != Scheduling() else None


def duration(text: str, option: str) -> timedelta:
    """Read a length of time: 12h, 90m, 1d12h, 3600s or 3600.

    Raises:
        InputError: it can't be read, or is longer than the service allows.
    """
    found = _LENGTH.fullmatch(text)
    if not text or not found:
        raise InputError(f"expected {option} as in 12h, 90m or 1d12h; got {text!r}")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if total > LONGEST.total_seconds():
        raise InputError(f"{option} {text}: the service allows {LONGEST.days} days at most")
    return timedelta(seconds=total)


def _restart(options: JobOptions, workers: int) -> bool:
    if options.restart_on_worker_restart is None:
        # Hosts that train a network together don't survive that one of them leaves.
        return workers > 1
    return options.restart_on_worker_restart
