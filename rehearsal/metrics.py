"""What a trial reports through cloudml-hypertune: a file of lines of JSON, written anew with each value."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rehearsal.vertex_ai import Job

FILE: Final = "/var/hypertune/output.metrics"
"""Where Vertex AI looks for it in the container."""

_ABOUT: Final = {"timestamp", "trial", "global_step", "checkpoint_path"}


class Metrics:
    """A trial's metrics, each told to the job once."""

    def __init__(self, folder: Path) -> None:
        """Take the folder that is mounted in the container; any user may write there."""
        self.folder = folder
        folder.chmod(0o777)
        self._told: set[str] = set()

    @property
    def mount(self) -> str:
        """The folder, as the engine wants it."""
        return f"{self.folder}:{Path(FILE).parent}"

    def tell(self, job: "Job") -> None:
        """Tell the job what was reported since the last call."""
        file = self.folder / Path(FILE).name
        if not file.exists():
            return
        for line in file.read_text(encoding="utf-8").splitlines():
            if line in self._told or not line.endswith("}"):  # half of a line is read again
                continue
            self._told.add(line)
            entry = json.loads(line)
            for name in entry.keys() - _ABOUT:
                job.measure(name, float(entry[name]), int(entry["global_step"]))
