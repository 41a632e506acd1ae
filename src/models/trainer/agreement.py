"""What all hosts must agree on before they train together, and how they learn that one is gone.

A host alone agrees with itself.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

from contracts.errors import StageError
from models.trainer.cluster import Cluster

_MODULUS = 2**20
"""So that sums over a host's replicas are exact in float32."""

_GONE = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)
_OF_HOSTS = "Collective ops is aborted"
"""What TensorFlow's other errors say where hosts are the reason."""


@contextmanager
def together(cluster: Cluster) -> Iterator[None]:
    """Say in a line that another host is gone, whatever TensorFlow was at when it found out.

    Raises:
        StageError: it is.
    """
    try:
        yield
    except tf.errors.OpError as error:
        if cluster.hosts == 1 or not (isinstance(error, _GONE) or _OF_HOSTS in str(error)):
            raise
        raise StageError(
            "another host is gone: what it said last tells why; start all hosts with the same command again, "
            f"and they carry on from the last saved state ({type(error).__name__})"
        ) from error


def wait_for_all(strategy: Any, cluster: Cluster) -> None:
    """Go on when every host is here."""
    _gathered(strategy, cluster, "")


def check_agreed(strategy: Any, cluster: Cluster, what: str, value: str) -> None:
    """Go on when every host is here with the same value, which `what` tells to people.

    Raises:
        StageError: a host has another one.
    """
    if len(set(_gathered(strategy, cluster, value))) > 1:
        raise StageError(
            f"the hosts don't agree on {what}: start every host with the same command, on an --input and "
            "--output that all of them share"
        )


def _gathered(strategy: Any, cluster: Cluster, value: str) -> list[int]:
    """What each host brought, as a number."""
    if cluster.hosts == 1:
        return [0]
    number = int.from_bytes(hashlib.sha256(value.encode()).digest()[:8], "big") % _MODULUS
    mine = np.zeros(cluster.hosts, np.int64)
    mine[cluster.host] = number

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def gather(values: Any) -> Any:
        summed = strategy.run(lambda: tf.identity(values))
        return strategy.reduce(tf.distribute.ReduceOp.SUM, summed, axis=None)

    replicas = strategy.num_replicas_in_sync // cluster.hosts
    return [int(total) // replicas for total in gather(tf.constant(mine, tf.float32)).numpy()]
