"""The hosts that train together, as `TF_CONFIG` names them: a chief and workers."""

import json
import os
from dataclasses import dataclass, field
from typing import Any

from contracts.errors import InputError

VARIABLE = "TF_CONFIG"
_ROLES = ("chief", "master", "worker")
"""In the order of their numbers; `master` is the chief's older name."""


@dataclass(frozen=True)
class Cluster:
    """Which of how many hosts this is."""

    hosts: int = 1
    host: int = 0
    addresses: tuple[str, ...] = field(default=(), compare=False)
    """`name:port` of each."""

    @property
    def chief(self) -> bool:
        """Whether this is the host that writes."""
        return self.host == 0


def cluster_from_environment() -> Cluster:
    """Read `TF_CONFIG`: `{"cluster": {"chief": [address], "worker": […]}, "task": {"type", "index"}}`.

    Without it, or with a single host in it, this host is alone.

    Raises:
        InputError: it can't be read, or names a role that doesn't train.
    """
    text = os.environ.get(VARIABLE)
    if not text:
        return Cluster()
    try:
        return _cluster(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{VARIABLE} can't be used ({type(error).__name__}: {error}): expected "
            '{"cluster": {"chief": ["host:port"], "worker": ["host:port", …]}, "task": {"type": "worker", '
            '"index": 0}}, or leave it out'
        ) from None


def _cluster(config: Any) -> Cluster:
    addresses, task = config["cluster"], config["task"]
    if unknown := [role for role in addresses if role not in _ROLES and addresses[role]]:
        raise ValueError(f"the cluster has a {unknown[0]}; it may have a chief and workers")
    everyone = [(role, index) for role in _ROLES for index in range(len(addresses.get(role, [])))]
    mine = (task["type"], int(task["index"]))
    if mine not in everyone:
        raise ValueError(f"the cluster has no {mine[0]} {mine[1]}")
    names = tuple(addresses[role][index] for role, index in everyone)
    if wrong := [name for name in names if not name.rpartition(":")[2].isdigit()]:
        raise ValueError(f"{wrong[0]} has no port")
    return Cluster(len(everyone), everyone.index(mine), names)
