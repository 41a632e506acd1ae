"""How many cores this process may use: in a container that isn't how many the machine has."""

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup/cpu.max")
"""cgroup v2: `<quota> <period>` in microseconds, or `max <period>`."""


def usable_cores(cgroup: Path = _CGROUP) -> int:
    """Count the cores that the scheduler lets us on, within the container's quota (`docker run --cpus`)."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = cgroup.read_text().split()
        within_quota = allowed if quota == "max" else max(1, int(quota) // int(period))
    except (OSError, ValueError):  # no cgroup v2 here: no quota that we could see
        return allowed
    return min(allowed, within_quota)
