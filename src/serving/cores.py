"""How many cores this process may use: in a container that isn't how many the machine has."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def usable_cores(root: Path = Path("/")) -> int:
    """Count the cores that the scheduler lets us on, within the container's quota (`docker run --cpus`).

    Of a quota that is no whole number the fraction isn't counted: a thread for it would be held up for most
    of the time, and the others would wait for it.

    Args:
        root: of the file system in which `proc` and `sys` are.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min([allowed, *(max(1, int(cores)) for cores in _quotas(root))])


def _quotas(root: Path) -> Iterator[float]:
    """Cores of each control group that we are in and that has a quota."""
    for group in _groups(root):
        quota, period = _numbers(group / "cpu.max")  # cgroup v2
        if not quota:
            (quota,), (period,) = (_numbers(group / f"cpu.cfs_{name}_us", 1) for name in ("quota", "period"))
        if quota > 0 and period > 0:
            yield quota / period


def _groups(root: Path) -> Iterator[Path]:
    """Our groups' folders and all above them: an outer group's quota holds for the inner ones, too.

    Where a container has a view of its own, the innermost that is there is the mount itself.
    """
    mount = root / "sys/fs/cgroup"
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # no control groups here, so no quota
        return
    for line in lines:
        _, controllers, name = line.split(":", 2)
        if not controllers or "cpu" in controllers.split(","):
            inner = PurePosixPath(name.lstrip("/"))
            yield from (mount / controllers / part for part in (inner, *inner.parents))


def _numbers(path: Path, count: int = 2) -> list[int]:
    """The whole numbers of a file; zeros where there is none, or `max` in it."""
    try:
        numbers = [int(word) for word in path.read_text().split()]
    except (OSError, ValueError):
        numbers = []
    return numbers if len(numbers) == count else [0] * count
