"""What people call what fills a folder: the folder's name, but for one that Vertex AI named."""

import os
from typing import Final

from contracts import storage, vertex_environment

_MODEL: Final = "model"
"""What Vertex AI calls the last folder of AIP_MODEL_DIR, whatever is trained."""


def run_name(output: str) -> str:
    """Give a folder's last part; of P/model/, where that is AIP_MODEL_DIR, the last part of P.

    A trial's folder is P/7/model/: its name is that of the study and the trial, as in `study-07`.

    Args:
        output: a path or a URI.
    """
    if not _is_vertexs(output):
        return storage.last_part(output)
    base = output.rstrip("/").removesuffix(f"/{_MODEL}")
    trial = vertex_environment.trial()
    if trial and storage.last_part(base) == trial:
        return f"{storage.last_part(base.removesuffix(trial))}-{trial:0>2}"
    return storage.last_part(base)


def _is_vertexs(output: str) -> bool:
    given = os.environ.get(vertex_environment.MODEL_FOLDER)
    if not given or storage.last_part(given) != _MODEL:
        return False
    return storage.canonical(given).rstrip("/") == storage.canonical(output).rstrip("/")
