"""A small raw data set: three classes of noise in several formats, sizes and colour modes."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CLASSES = ("daisy", "rose", "tulip")
FORMATS = (("png", "RGB"), ("jpg", "RGB"), ("png", "L"), ("webp", "RGB"), ("png", "RGBA"), ("jpg", "CMYK"))

SRC = Path(__file__).parents[3] / "src"


def add_images(folder: Path, numbers: range) -> None:
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in numbers:
            suffix, mode = FORMATS[number % len(FORMATS)]
            rng = np.random.default_rng([label, number])
            pixels = rng.integers(0, 256, (20 + number % 30, 25 + label * 9, 3), np.uint8)
            Image.fromarray(pixels).convert(mode).save(folder / name / f"{number:03}.{suffix}")


@pytest.fixture(scope="session")
def flowers(tmp_path_factory) -> Path:
    """120 images in three class folders, below one common folder; and papers. Not to be changed."""
    folder = tmp_path_factory.mktemp("raw") / "flowers"
    add_images(folder / "photos", range(40))
    (folder / "photos" / "LICENSE.txt").write_text("free")
    (folder / ".DS_Store").write_bytes(b"junk")
    return folder


@pytest.fixture
def raw(flowers, tmp_path) -> Path:
    """A copy of `flowers` to be changed."""
    return Path(shutil.copytree(flowers, tmp_path / "raw" / "flowers"))


@pytest.fixture
def command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a module of the records stage as its user does."""

    def run(module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", f"datapipeline.records.{module}", *map(str, arguments)],
            cwd=SRC,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run
