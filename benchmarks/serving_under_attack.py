"""Our server as a process that is watched while it is attacked: its log, its memory, its end."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import commands, images
from benchmarks.datasets import write_zip
from benchmarks.measuring import MeasuringError, descendants
from benchmarks.serving_process import free_port
from contracts.bundle import ModelBundle

SECONDS_TO_START: Final = 120.0
SECONDS_TO_END: Final = 15.0


@dataclass(frozen=True)
class Watched:
    """A server that listens and is ready."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    """Everything that it said."""

    @property
    def pid(self) -> int:
        """The process that we started."""
        return self.process.pid

    @property
    def lives(self) -> bool:
        """Whether it is still that one."""
        return self.process.poll() is None

    def resident(self) -> int:
        """Bytes in memory of it and all that it started."""
        return sum(map(_resident, [self.pid, *descendants(self.pid)]))

    def last_words(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def noise(self) -> int:
        """Lines of its log that aren't its own: what libraries write to standard error."""
        return sum(not _event(line) for line in self.log.read_text(errors="replace").splitlines())

    def complaints(self) -> list[str]:
        """What it said that is more than a note: tracebacks, and lines of a level above INFO."""
        return [line for line in self.log.read_text(errors="replace").splitlines() if _complains(line)]


@contextmanager
def watched(model: str, work: Path, **environment: str) -> Iterator[Watched]:
    """Serve a bundle until the block ends.

    Args:
        model: the bundle, or the champion.json that names it.
        work: where the log goes.
        environment: settings.

    Raises:
        MeasuringError: it isn't ready in time.
    """
    port, log = free_port(), work / "server.log"
    command = [commands.PYTHON, "-m", "serving", "--model", model, "--port", str(port)]
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, env={**os.environ, **commands.ENVIRONMENT, **environment}, stdout=said, stderr=said
        )
    server = Watched(process, port, log)
    try:
        _wait_until_ready(server)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def make_small_bundle(work: Path) -> str:
    """Train a network that costs a millisecond, on made-up images; about half a minute."""
    archive, interim, processed, bundle = (
        work / name for name in ("raw.zip", "interim", "processed", "bundle")
    )
    write_zip(archive, images.varied(images.small(None), 200))
    _finish(commands.process_command(archive, interim))
    _finish(commands.build_command(interim, processed, "--shards", 2, "--image-size", 48))
    places = ["--input", str(processed), "--output", str(bundle)]
    options = ["--variant", "conv-deep", "--gpu", "0", "--wandb", "off", "--epochs", "1"]
    _finish([commands.PYTHON, "-m", "models.cnn.train_multi_gpu", *places, *options])
    return str(bundle)


def describe(model: str) -> str:
    """A bundle, in a few words."""
    bundle = ModelBundle.read(model)
    size = bundle.image.size
    return f"{bundle.architecture} for {len(bundle.class_names)} classes at {size}x{size}"


def _finish(command: list[str]) -> None:
    done = subprocess.run(
        command, env={**os.environ, **commands.ENVIRONMENT}, capture_output=True, text=True, timeout=600
    )
    if done.returncode:
        raise MeasuringError(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")


def _wait_until_ready(server: Watched) -> None:
    until = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < until and server.lives:
        if any(_event(line).get("event") == "ready" for line in server.log.read_text().splitlines()):
            return
        time.sleep(0.05)
    raise MeasuringError(f"the server isn't ready:\n{server.last_words()}")


def _event(line: str) -> dict[str, object]:
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def _complains(line: str) -> bool:
    return line.startswith("Traceback") or _event(line).get("level", "INFO") not in ("INFO", "DEBUG")


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it has ended
