"""A trial's process: the training's command, what it writes, and how it ended."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from contracts.console import INTERRUPTED

STOPPED: Final = (INTERRUPTED, 128 + signal.SIGTERM, -signal.SIGINT, -signal.SIGTERM)
"""Exit codes of a command that was told to stop."""
PATIENCE: Final = 120.0
"""Seconds for a process to save its state when it is told to stop."""
LONGEST_REASON: Final = 300
"""Characters."""


class TrialProcess:
    """A training that runs; it ends with this process, whatever ends this one."""

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        """Start it.

        Args:
            command: what follows the interpreter.
            log: the file to write its output behind.
            environment: variables besides those of this process.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        self._heard = log.stat().st_size if log.exists() else 0
        launcher = [sys.executable, "-m", "models.trainer.tuning.launch", str(os.getpid())]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*launcher, sys.executable, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **environment},
                # A terminal's Ctrl-C is for the study alone, which stops its trials once.
                start_new_session=True,
            )

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    @property
    def killed(self) -> bool:
        """Whether it was ended by a signal that nobody sends who wants it to stop."""
        code = self.exit_code
        return code is not None and code < 0 and code not in STOPPED

    def epoch_ended(self) -> bool:
        """Whether it has told of an epoch since the last call."""
        with self.log.open("rb") as log:
            log.seek(self._heard)
            said, _, _ = log.read().rpartition(b"\n")  # a line that isn't whole is heard later
        self._heard += len(said)
        return any(_is_event(line, "epoch") for line in said.decode(errors="replace").splitlines())

    def ask_to_stop(self) -> None:
        """Have it save its state and end."""
        if self._process.poll() is None:
            self._process.terminate()

    def wait_to_end(self) -> None:
        """Wait until it has ended, however long that takes."""
        self._process.wait()

    def wait(self) -> None:
        """Wait until it has stopped; it is killed where that takes too long."""
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def reason(self) -> str:
        """Why it failed: its last words that aren't a progress line."""
        code = self._process.returncode
        if code is not None and code < 0:
            killed = " (out of memory?)" if code == -signal.SIGKILL else ""
            return f"ended by {signal.Signals(-code).name}{killed}"
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        said = [line for line in lines if line.strip() and not _is_event(line)]
        return said[-1].strip()[:LONGEST_REASON] if said else f"ended with exit code {code}"


def _is_event(line: str, name: str | None = None) -> bool:
    if not line.startswith("{"):
        return False
    try:
        said = json.loads(line)
    except ValueError:
        return False
    return "event" in said if name is None else said.get("event") == name
