"""Hosts wait for each other here before TensorFlow does, which then hears no signal and names nobody."""

import errno
import socket
import time
from collections.abc import Iterable

from contracts.console import log
from contracts.errors import StageError
from models.trainer.cluster import VARIABLE, Cluster

PATIENCE = 3600.0
"""Seconds; TensorFlow's as well."""
SECONDS_BETWEEN_LINES = 60.0
_SECONDS_BETWEEN_CALLS = 0.2


def meet(cluster: Cluster, patience: float = PATIENCE) -> None:
    """Go on when every host listens on its port.

    Raises:
        StageError: this host's port is taken, or somebody didn't come.
    """
    missing = [address for host, address in enumerate(cluster.addresses) if host != cluster.host]
    began = told = time.monotonic()
    with _listening(cluster.addresses[cluster.host]):
        log("waiting for the other hosts", missing=missing)
        while missing := _unanswered(missing):
            now = time.monotonic()
            if now - began > patience:
                raise StageError(
                    f"{', '.join(missing)} didn't come within {patience / 60:g} minutes: start the same "
                    f"command on every host that {VARIABLE} names"
                )
            if now - told > SECONDS_BETWEEN_LINES:
                told = now
                log("waiting for the other hosts", missing=missing)
            time.sleep(_SECONDS_BETWEEN_CALLS)


def _listening(address: str) -> socket.socket:
    """Answer for this host, until its TensorFlow does on the same port."""
    try:
        return socket.create_server(("", _split(address)[1]))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise StageError(
            f"this host's port in {VARIABLE} ({address}) is taken: end the run that uses it, or take another"
        ) from error


def _unanswered(addresses: Iterable[str]) -> list[str]:
    return [address for address in addresses if not _answers(address)]


def _answers(address: str) -> bool:
    try:
        socket.create_connection(_split(address), timeout=2).close()
    except OSError:  # it isn't there yet, or its name isn't known yet
        return False
    return True


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
