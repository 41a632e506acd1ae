"""What goes on around a server while it is soaked: clients that are killed, and models that are replaced."""

import random
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import commands, serving_rude
from benchmarks.serving_process import CONTENT_TYPE
from contracts.bundle import BundleFile, ModelBundle

LIVES_S: Final = (0.3, 3.0)
"""How long a rude client may live before it is killed."""


@dataclass
class Rude:
    """What was done by the clients of the other kind."""

    broken: int = 0
    """Connections."""
    killed: int = 0
    """Processes."""


class Twins:
    """Two bundles with the same network, and the name under which now one and now the other is served."""

    def __init__(self, bundle: Path, work: Path) -> None:
        self._folders = (bundle, Path(shutil.copytree(bundle, work / "twin")))
        note = self._folders[1] / "twin.txt"
        note.write_text("This bundle differs from its twin by this file.\n")
        document = ModelBundle.read(str(bundle))
        files = {**document.files, note.name: BundleFile.of(note)}
        document.model_copy(update={"files": files}).write(str(self._folders[1]))
        self.served = work / "served"
        self.served.symlink_to(bundle.resolve())

    def swap(self) -> None:
        """Let the name mean the other one."""
        new = self.served.with_name("new")
        new.symlink_to(next(folder.resolve() for folder in self._folders if not self.served.samefile(folder)))
        new.replace(self.served)


@contextmanager
def rude_clients(port: int, body: Path, work: Path, seed: int) -> Iterator[Rude]:
    """Start rude clients and kill them, one after the other, until the block ends."""
    done, stop = Rude(), threading.Event()
    draw = random.Random(seed)  # noqa: S311
    dots = work / "rude.dots"

    def run() -> None:
        while not stop.is_set():
            arguments = [str(port), str(body), CONTENT_TYPE, str(draw.randrange(1 << 30))]
            with dots.open("ab") as broken:
                client = subprocess.Popen([commands.PYTHON, serving_rude.__file__, *arguments], stdout=broken)
            stop.wait(draw.uniform(*LIVES_S))
            client.kill()
            client.wait()
            done.killed += 1

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield done
    finally:
        stop.set()
        thread.join()
        done.broken = dots.stat().st_size
