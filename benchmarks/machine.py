"""The machine that figures come from: what matters to them, and nothing that names it."""

import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
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
    """A table of the processor, the system and the versions of the data stages and their peers."""
    ours = ("pillow", "cykooz.resizer", "numpy", "google-crc32c", "protobuf", "pydantic")
    turbo = features.version_feature("libjpeg_turbo") or "none"
    peers = subprocess.run(
        [PEERS / "python", "-c", PEERS_VERSIONS], capture_output=True, text=True, check=True
    ).stdout.strip()
    return as_table({"ours": f"{versions(ours)} · libjpeg-turbo {turbo}", "peers": peers})


def as_table(more: Mapping[str, str]) -> str:
    """A table of the processor and the system, and of what else matters."""
    rows = {
        "CPU": f"{field('/proc/cpuinfo', 'model name')}, {len(os.sched_getaffinity(0))} cores",
        "memory": f"{int(field('/proc/meminfo', 'MemTotal').split()[0]) / 2**20:.0f} GiB",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        **more,
    }
    return table(["machine", ""], rows.items()).replace("---:", "---")


def versions(packages: Iterable[str]) -> str:
    """Of Python and of packages."""
    return " · ".join(
        [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in packages)]
    )


def field(file: str, key: str) -> str:
    """What a file of /proc says under a name."""
    for line in Path(file).read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return platform.processor() or "unknown"
