"""A checkout with a .env of its own: where the rehearsal's commands run, as a user's would."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from contracts.errors import StageError
from rehearsal.network import ROOT

KEPT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "DOCKER_HOST")
"""What commands see of the shell's variables; the rest of what they know stands in .env."""


@contextmanager
def checkout(settings: Mapping[str, str]) -> Iterator[Path]:
    """Make a folder in which every entry of the repository stands as a link, and `settings` as .env."""
    with TemporaryDirectory(prefix="chrysalis-rehearsal-") as name:
        folder = Path(name)
        for entry in ROOT.iterdir():
            if entry.name != ".env":
                (folder / entry.name).symlink_to(entry)
        lines = (f"{variable}={value}\n" for variable, value in settings.items())
        (folder / ".env").write_text("".join(lines), encoding="utf-8")
        yield folder


class CommandError(StageError):
    """A command ended otherwise than it should have."""


class Commands:
    """Runs commands in a checkout, and keeps what they said in a file."""

    def __init__(self, folder: Path, log: Path) -> None:
        self.folder = folder
        self._log = log
        self.said = ""
        """Everything that they wrote to either stream."""

    def __call__(self, *command: str, expected: int = 0, **variables: str) -> str:
        """Run one; what it wrote to standard output.

        Raises:
            CommandError: it didn't end with the code that is expected.
        """
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**{name: os.environ[name] for name in KEPT if name in os.environ}, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        told = f"$ {' '.join(command)}\n{done.stdout}{done.stderr}"
        self.said += told
        with self._log.open("a", encoding="utf-8") as log:
            log.write(f"{told}\n")
        if done.returncode != expected:
            lines = (done.stderr or done.stdout).splitlines()
            raise CommandError(
                f"`{' '.join(command)}` ended with {done.returncode}, expected {expected}: "
                + "\n".join(lines[-12:])
            )
        return done.stdout

    def python(self, *arguments: str, expected: int = 0, **variables: str) -> str:
        """Run Python with the project's packages: `python -m vertex …`."""
        return self(".venv/bin/python", *arguments, expected=expected, PYTHONPATH="src", **variables)
