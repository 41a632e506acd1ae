"""A server as a process: started until it has answered, held still while others are measured, and ended."""

import http.client
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from benchmarks.commands import ROOT
from benchmarks.measuring import MeasuringError, cpu_seconds, descendants
from benchmarks.rounds import WrongOutputError

SECONDS_TO_START: Final = 120.0
SECONDS_TO_END: Final = 5.0
SECONDS_BETWEEN_ASKING: Final = 0.005
TOLERANCE: Final = 0.2
"""Of a probability: the float network differs from the quantized one, and Pillow's resizing from ours."""

BOUNDARY: Final = "frontier"
CONTENT_TYPE: Final = f"multipart/form-data; boundary={BOUNDARY}"


@dataclass(frozen=True)
class Contender:
    """A server, and how it is started."""

    command: Callable[[int], Sequence[str]]
    """By the port that it listens on."""
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path = ROOT


@dataclass(frozen=True)
class Question:
    """The request that all are asked, as a form with one file, and its right answer."""

    body: bytes
    expected: Mapping[str, float]
    """Each class' probability."""
    path: str = "/predict"

    @classmethod
    def of(cls, photo: bytes, expected: Mapping[str, float]) -> Self:
        """Of a photo's bytes."""
        head = 'Content-Disposition: form-data; name="file"; filename="photo.jpg"\r\nContent-Type: image/jpeg'
        start, end = f"--{BOUNDARY}\r\n{head}\r\n\r\n", f"\r\n--{BOUNDARY}--\r\n"
        return cls(start.encode() + photo + end.encode(), expected)

    def check(self, answer: bytes) -> None:
        """Raise unless it names every class with about the right probability.

        Raises:
            WrongOutputError: it doesn't.
        """
        said = json.loads(answer)
        if "predictions" in said:  # ours
            said = {entry["class"]: entry["probability"] for entry in said["predictions"][0]["top"]}
        off = [name for name, share in self.expected.items() if abs(said.get(name, -1) - share) > TOLERANCE]
        if off:
            raise WrongOutputError(f"expected about {self.expected}, got {said}")


class Server:
    """One that runs, with everything that it started."""

    def __init__(self, contender: Contender, question: Question) -> None:
        """Start it, and wait for its first answer.

        Raises:
            MeasuringError: it ends, or doesn't answer in time.
            WrongOutputError: its answer is another one.
        """
        self.port = free_port()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - ended with the process
        began = time.perf_counter()
        self._process = subprocess.Popen(
            contender.command(self.port),
            cwd=contender.folder,
            env={**os.environ, **contender.environment},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        try:
            answer = self._first_answer(question, began + SECONDS_TO_START)
            self.seconds_to_answer = time.perf_counter() - began
            question.check(answer)
        except BaseException:
            self.stop()
            raise

    @property
    def pids(self) -> list[int]:
        """Of all its processes, each behind its parent."""
        return [self._process.pid, *descendants(self._process.pid)]

    @property
    def cpu(self) -> float:
        """Seconds of CPU of its processes so far."""
        return cpu_seconds(self.pids)

    def hold(self) -> None:
        """Let none of its processes run until the next `resume`."""
        for pid in self.pids:
            os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let them run again; parents last, so that no child looks stuck to one."""
        for pid in reversed(self.pids):
            os.kill(pid, signal.SIGCONT)

    def stop(self) -> None:
        """End all its processes."""
        if self._process.poll() is None:
            self.resume()
        pids = self.pids
        self._process.terminate()
        try:
            self._process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pid in pids[1:]:
            _kill(pid)
        self._log.close()

    def _first_answer(self, question: Question, until: float) -> bytes:
        while time.perf_counter() < until and self._process.poll() is None:
            try:
                status, answer = ask(self.port, question)
            except (OSError, http.client.HTTPException):
                status = 0
            if status == http.HTTPStatus.OK:
                return answer
            time.sleep(SECONDS_BETWEEN_ASKING)
        self._log.seek(0)
        said = "\n".join(self._log.read().decode(errors="replace").splitlines()[-20:])
        raise MeasuringError(f"{self._process.args!r} gave no answer:\n{said}")


@contextmanager
def running(contender: Contender, question: Question) -> Iterator[Server]:
    """A server that is ended when the block ends."""
    server = Server(contender, question)
    try:
        yield server
    finally:
        server.stop()


def ask(port: int, question: Question) -> tuple[int, bytes]:
    """Give the status and the body of one answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS_TO_START)
    try:
        connection.request("POST", question.path, question.body, {"Content-Type": CONTENT_TYPE})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it ended with its parent
