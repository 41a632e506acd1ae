"""How long a job may take and wait, and on machines that may be taken away or that stay."""

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from contracts.errors import InputError
from vertex.jobs.job_options import JobOptions
from vertex.machines import Machine

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1.types import Scheduling

LONGEST = timedelta(days=7)
"""That the service allows."""

FLEXIBLE = ("NVIDIA_L4", "NVIDIA_TESLA_A100", "NVIDIA_A100_80GB", "NVIDIA_H100_80GB")
"""What a flexible start is for. https://docs.cloud.google.com/vertex-ai/docs/training/schedule-jobs-dws"""
NOT_STANDARD = ("a3-highgpu-1g", "a3-highgpu-2g", "a3-highgpu-4g")
"""Machines that there are as spot machines and by a flexible start only."""

_LENGTH = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def scheduling(options: JobOptions, machine: Machine, workers: int) -> "Scheduling | None":
    """Compose the scheduling of a job on such machines; None where all of it is the service's default.

    Raises:
        InputError: options can't be read, contradict each other, or don't go with the machine.
    """
    from google.cloud.aiplatform_v1.types import Scheduling

    _check(options, machine)
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
    """Read a length of time: 12h, 90m, 1d12h or 3600s; 0.

    Raises:
        InputError: it can't be read, or is longer than the service allows.
    """
    found = _LENGTH.fullmatch("0s" if text == "0" else text)
    if not text or not found:
        raise InputError(f"expected {option} as in 12h, 90m or 1d12h; got {text!r}")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if total > LONGEST.total_seconds():
        raise InputError(f"{option} {text}: the service allows {LONGEST.days} days at most")
    return timedelta(seconds=total)


def _check(options: JobOptions, machine: Machine) -> None:
    if options.spot and options.max_wait is not None:
        raise InputError("--max-wait is a flexible start on standard machines: leave out either it or --spot")
    if options.max_wait is not None and machine.accelerator not in FLEXIBLE:
        raise InputError(
            f"--max-wait is for machines with {', '.join(FLEXIBLE)}: choose one with --gpu and "
            f"--accelerator; got {machine.accelerator or 'no GPUs'}"
        )
    if machine.type in NOT_STANDARD and not options.spot and options.max_wait is None:
        raise InputError(f"{machine.type} is no standard machine: give --spot, or --max-wait as in 6h")


def _restart(options: JobOptions, workers: int) -> bool:
    if options.restart_on_worker_restart is None:
        # Hosts that train a network together don't survive that one of them leaves.
        return workers > 1
    return options.restart_on_worker_restart
