"""Our commands' lines, and how many images an output holds, whoever wrote it."""

import csv
import sys
import tarfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PYTHON: Final = sys.executable
PEERS: Final = ROOT / "benchmarks/peers/.venv/bin"
CONTENDERS: Final = ROOT / "benchmarks/contenders"
ENVIRONMENT: Final = {"PYTHONPATH": str(ROOT / "src")}
WORKERS: Final = 2


def process_command(raw: Path, output: Path) -> list[str]:
    """Ours: check and split."""
    places = ["--input", str(raw), "--output", str(output)]
    return [PYTHON, "-m", "datapipeline.records.process", *places, "--workers", str(WORKERS)]


def build_command(interim: Path, output: Path, *options: object) -> list[str]:
    """Ours: build the shards."""
    places = ["--input", str(interim), "--output", str(output)]
    command = [PYTHON, "-m", "datapipeline.records.build_records", *places, "--workers", str(WORKERS)]
    return command + [str(option) for option in options]


def processed_images(output: Path) -> int:
    """The lines of the splits' tables."""
    total = 0
    for split in ("train", "val", "test"):
        with (output / f"{split}.csv").open(newline="") as file:
            total += sum(1 for _ in csv.DictReader(file))
    return total


def tfrecords(output: Path) -> int:
    """The records of every TFRecord file."""
    return sum(_records(file) for file in sorted(output.glob("*.tfrecord")))


def _records(file: Path) -> int:
    count = 0
    with file.open("rb") as opened:
        while header := opened.read(12):  # the length, 8 bytes, and its checksum
            opened.seek(int.from_bytes(header[:8], "little") + 4, 1)
            count += 1
    return count


def tar_members(output: Path) -> int:
    """The JPEGs of every tar."""
    total = 0
    for file in output.glob("*.tar"):
        with tarfile.open(file) as opened:
            total += sum(name.endswith(".jpg") for name in opened.getnames())
    return total


def jpegs(output: Path) -> int:
    """The JPEGs of files that are nothing but one JPEG after another."""
    return sum(file.read_bytes().count(b"\xff\xd8\xff") for file in output.glob("*.jpegs"))
