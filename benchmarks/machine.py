"""The machine that figures come from: what matters to them, and nothing that names it."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from PIL import features

from benchmarks.commands import PEERS
from benchmarks.report import table

PEERS_VERSIONS = """
import importlib.metadata, platform
names = ("tensorflow-cpu", "img2dataset", "apache-beam", "opencv-python-headless", "pillow")
versions = [f"{name} {importlib.metadata.version(name)}" for name in names]
print(" · ".join([f"Python {platform.python_version()}", *versions]))
"""


def describe() -> str:
    """A table of the processor, the system and the versions."""
    ours = ("pillow", "cykooz.resizer", "numpy", "google-crc32c", "protobuf", "pydantic")
    turbo = features.version_feature("libjpeg_turbo") or "none"
    peers = subprocess.run(
        [PEERS / "python", "-c", PEERS_VERSIONS], capture_output=True, text=True, check=True
    ).stdout.strip()
    rows = [
        ["CPU", f"{_field('/proc/cpuinfo', 'model name')}, {len(os.sched_getaffinity(0))} cores"],
        ["memory", f"{int(_field('/proc/meminfo', 'MemTotal').split()[0]) / 2**20:.0f} GiB"],
        ["system", f"{platform.system()} {platform.release()} {platform.machine()}"],
        [
            "ours",
            f"Python {platform.python_version()} · "
            + " · ".join(f"{name} {version(name)}" for name in ours)
            + f" · libjpeg-turbo {turbo}",
        ],
        ["peers", peers],
    ]
    return table(["machine", ""], rows).replace("---:", "---")


def _field(file: str, key: str) -> str:
    for line in Path(file).read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return platform.processor() or "unknown"
