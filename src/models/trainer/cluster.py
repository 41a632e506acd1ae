"""The hosts that train together, a chief and workers, by `TF_CONFIG` or Vertex AI's `CLUSTER_SPEC`.

Both hold `{"cluster": {role: [address, …]}, "task": {"type": role, "index": 0}}`; what else Vertex AI writes
there is passed over. In `CLUSTER_SPEC` the roles are a job's worker pools, by their numbers.
"""

import json
import os
from dataclasses import dataclass, field
from typing import Any, Final

from contracts import vertex_environment
from contracts.errors import InputError

EVALUATOR: Final = "evaluator"
"""A role that doesn't train: the chief judges the network itself."""
_ROLES: Final = ("chief", "master", "worker")
"""In the order of their numbers; `master` is the chief's older name."""
_POOLS: Final = {
    "workerpool0": "chief",
    "workerpool1": "worker",
    "workerpool2": "ps",
    "workerpool3": EVALUATOR,
}


@dataclass(frozen=True)
class Cluster:
    """Which of how many hosts this is."""

    hosts: int = 1
    host: int = 0
    addresses: tuple[str, ...] = field(default=(), compare=False)
    """`name:port` of each."""
    trains: bool = True
    """Whether this host has a part in the training."""

    @property
    def chief(self) -> bool:
        """Whether this is the host that writes."""
        return self.trains and self.host == 0


def variable() -> str:
    """The environment's variable that names the hosts; where there is none, that which should."""
    return next((name for name in vertex_environment.CLUSTERS if os.environ.get(name)), "TF_CONFIG")


def cluster_from_environment() -> Cluster:
    """Read `TF_CONFIG`, or `CLUSTER_SPEC` where it is missing.

    Without either, or with a single host in it, this host is alone. Evaluators don't count as hosts.

    Raises:
        InputError: it can't be read, or names a role that doesn't train.
    """
    text = os.environ.get(variable())
    if not text:
        return Cluster()
    try:
        return _cluster(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise InputError(
            f"{variable()} can't be used ({type(error).__name__}: {error}): expected "
            '{"cluster": {"chief": ["host:port"], "worker": ["host:port", …]}, "task": {"type": "worker", '
            '"index": 0}}, or leave it out'
        ) from None


def _cluster(config: Any) -> Cluster:
    addresses = {_POOLS.get(role, role): hosts for role, hosts in config["cluster"].items()}
    if not addresses:
        return Cluster()
    task = config["task"]
    _check_roles(addresses)
    everyone = [(role, index) for role in _ROLES for index in range(len(addresses.get(role, [])))]
    names = tuple(addresses[role][index] for role, index in everyone)
    mine = (_POOLS.get(task["type"], task["type"]), int(task["index"]))
    if mine[0] == EVALUATOR:
        return Cluster(len(everyone), mine[1], names, trains=False)
    if mine not in everyone:
        raise ValueError(f"the cluster has no {mine[0]} {mine[1]}")
    if wrong := [name for name in names if not name.rpartition(":")[2].isdigit()]:
        raise ValueError(f"{wrong[0]} has no port")
    return Cluster(len(everyone), everyone.index(mine), names)


def _check_roles(addresses: dict[str, Any]) -> None:
    for role, hosts in addresses.items():
        if hosts and role not in (*_ROLES, EVALUATOR):
            servers = ": leave worker pool 2 out, as it needs no parameter servers" if role == "ps" else ""
            raise ValueError(f"the cluster has a {role}; it may have a chief and workers{servers}")
