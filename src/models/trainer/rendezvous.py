"""Hosts wait for each other here before TensorFlow does, which then hears no signal and names nobody.

Workers call the chief on its port in TF_CONFIG and hang on; when all are there, it tells them to begin. That
somebody listens there wouldn't do: a chief that exports still has TensorFlow's server.
"""

import errno
import socket
import time
from contextlib import ExitStack, suppress

from contracts.console import log
from contracts.errors import StageError
from models.trainer.cluster import Cluster, variable

PATIENCE = 3600.0
"""Seconds; TensorFlow's as well."""
SECONDS_BETWEEN_LINES = 60.0
_SECONDS_BETWEEN_CALLS = 0.2
_SECONDS_TO_ANSWER = 2.0
_HELLO, _BEGIN = b"chrysalis host ", b"chrysalis begins\n"


def meet(cluster: Cluster, patience: float = PATIENCE) -> None:
    """Go on when every host is here.

    Raises:
        StageError: this host's port is taken, or somebody didn't come.
    """
    wait = _Wait(patience)
    # A worker's port isn't needed before TensorFlow's server takes it, but whether it is free is known now.
    with _listening(cluster.addresses[cluster.host]) as server:
        if cluster.chief:
            _gather(server, cluster.addresses, wait)
        else:
            _call(cluster, wait)


class _Wait:
    """How long somebody has been waited for."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._began, self._told = time.monotonic(), -SECONDS_BETWEEN_LINES

    def more(self, missing: list[str]) -> None:
        """Tell now and then who is missing.

        Raises:
            StageError: it has been too long.
        """
        now = time.monotonic()
        if now - self._began > self._patience:
            raise StageError(
                f"{', '.join(missing)} didn't come within {self._patience / 60:g} minutes: start the same "
                f"command on every host that {variable()} names"
            )
        if now - self._told > SECONDS_BETWEEN_LINES:
            self._told = now
            log("waiting for the other hosts", missing=missing)


def _gather(server: socket.socket, addresses: tuple[str, ...], wait: _Wait) -> None:
    """Have every worker hang on, then tell all."""
    came: dict[int, socket.socket] = {}
    server.settimeout(_SECONDS_BETWEEN_CALLS)
    with ExitStack() as calls:
        while missing := [name for host, name in enumerate(addresses) if host and host not in came]:
            wait.more(missing)
            with suppress(TimeoutError):
                call = calls.enter_context(server.accept()[0])
                if 0 < (host := _who(call)) < len(addresses):
                    came[host] = call
            came = {host: call for host, call in came.items() if _hangs_on(call)}
        for call in came.values():
            call.settimeout(_SECONDS_TO_ANSWER)
            with suppress(OSError):  # one that is gone by now is missed by TensorFlow
                call.sendall(_BEGIN)
                call.recv(1)  # it hangs up first, so that the port is free at once


def _who(call: socket.socket) -> int:
    """The number of the host that calls; 0: somebody else."""
    call.settimeout(_SECONDS_TO_ANSWER)
    with suppress(OSError, ValueError), call.makefile("rb") as said:
        line = said.readline(64)
        if line.startswith(_HELLO):
            return int(line.removeprefix(_HELLO))
    return 0


def _hangs_on(call: socket.socket) -> bool:
    call.setblocking(False)
    try:
        return bool(call.recv(1))
    except BlockingIOError:
        return True
    except OSError:
        return False


def _call(cluster: Cluster, wait: _Wait) -> None:
    """Call the chief until it tells to begin."""
    chief = cluster.addresses[0]
    while True:
        wait.more([chief])
        with suppress(OSError), socket.create_connection(_split(chief), _SECONDS_TO_ANSWER) as call:
            call.sendall(_HELLO + f"{cluster.host}\n".encode())
            call.settimeout(_SECONDS_BETWEEN_CALLS)
            if _told_to_begin(call, chief, wait):
                return
        time.sleep(_SECONDS_BETWEEN_CALLS)


def _told_to_begin(call: socket.socket, chief: str, wait: _Wait) -> bool:
    said = b""
    while _BEGIN.startswith(said):
        wait.more([chief, "or another worker"])
        with suppress(TimeoutError):
            more = call.recv(len(_BEGIN))
            if not more:
                return False
            said += more
            if said == _BEGIN:
                return True
    return False


def _listening(address: str) -> socket.socket:
    try:
        return socket.create_server(("", _split(address)[1]))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise StageError(
            f"this host's port in {variable()} ({address}) is taken: end the run that has it, or take another"
        ) from error


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
