"""The containers that stand for a job's machines while it runs."""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rehearsal.replicas import Replica

STOP_SECONDS: Final = 10
SECONDS_BETWEEN_LOOKS: Final = 0.2

Tell = Callable[[str, str, str], None]
"""Takes a replica's name, a severity and a line."""


@dataclass
class Machine:
    """A replica's container."""

    replica: Replica
    container: Any
    code: int = 0
    """What it ended with."""

    def follow(self, tell: Tell, ended: "queue.Queue[Machine]") -> None:
        """Hand its output on, line by line, and itself when it has ended."""

        def read(severity: str, **stream: bool) -> None:
            for line in self._lines(**stream):
                tell(self.replica.name, severity, line)

        # As on Vertex AI: what goes to standard error is an error there.
        errors = threading.Thread(target=read, args=("ERROR",), kwargs={"stdout": False}, daemon=True)
        errors.start()
        read("INFO", stderr=False)
        errors.join()
        self.code = int(self.container.wait()["StatusCode"])
        ended.put(self)

    def _lines(self, **stream: bool) -> Iterator[str]:
        rest = b""
        for data in self.container.logs(stream=True, follow=True, **stream):
            *whole, rest = (rest + data).split(b"\n")
            yield from (line.decode(errors="replace").rstrip("\r") for line in whole)
        if rest:
            yield rest.decode(errors="replace")


class Cluster:
    """A job's machines, from their start to their end."""

    def __init__(self, machines: Sequence[Machine], tell: Tell) -> None:
        """Begin to read what the machines say; `tell` hears it."""
        self._machines = machines
        self._ended: queue.Queue[Machine] = queue.Queue()
        self._said: queue.Queue[str] = queue.Queue()

        def heard(replica: str, severity: str, line: str) -> None:
            tell(replica, severity, line)
            self._said.put(line)

        for machine in machines:
            threading.Thread(target=machine.follow, args=(heard, self._ended), daemon=True).start()

    def ended(self) -> Machine | None:
        """Wait a moment for one that has ended."""
        try:
            return self._ended.get(timeout=SECONDS_BETWEEN_LOOKS)
        except queue.Empty:
            return None

    def said(self) -> list[str]:
        """The lines that came since the last call."""
        return [self._said.get() for _ in range(self._said.qsize())]

    def stop(self, seconds: int = STOP_SECONDS) -> None:
        """Ask all to end, and end them after so many seconds."""
        for machine in self._machines:
            machine.container.stop(timeout=seconds)

    def take_away(self, replicas: Sequence[str], seconds: int) -> None:
        """Send SIGTERM to some, wait until all have ended for it, and end those that haven't."""
        for machine in self._machines:
            if machine.replica.name in replicas:
                machine.container.kill("SIGTERM")
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not all(map(_is_over, self._machines)):
            time.sleep(SECONDS_BETWEEN_LOOKS)
        self.stop(0)


def _is_over(machine: Machine) -> bool:
    machine.container.reload()
    return bool(machine.container.status == "exited")
