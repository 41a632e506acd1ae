"""A data set on disk, in every form that a contender wants."""

import os
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.commands import ENVIRONMENT, process_command
from benchmarks.images import Named
from benchmarks.measuring import measure


@dataclass(frozen=True)
class DataSet:
    """The same images in class folders, as lists, and processed for `build_records`."""

    folder: Path
    images: int

    @property
    def raw(self) -> Path:
        """The images in class folders."""
        return self.folder / "raw"

    @property
    def zip(self) -> Path:
        """The images in a zip, stored; there where it was asked for."""
        return self.folder / "raw.zip"

    @property
    def listing(self) -> Path:
        """Lines of `file<TAB>class name`."""
        return self.folder / "listing.tsv"

    @property
    def urls(self) -> Path:
        """Lines of `file://…`."""
        return self.folder / "urls.txt"

    @property
    def interim(self) -> Path:
        """What `process` made of the class folders."""
        return self.folder / "interim"


def write(folder: Path, images: Iterable[Named]) -> DataSet:
    """Write images in class folders, list them and process them."""
    files: list[Path] = []
    for name, data in images:
        file = folder / "raw" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        files.append(file)
    data_set = DataSet(folder, len(files))
    data_set.listing.write_text("".join(f"{file}\t{file.parent.name}\n" for file in files))
    data_set.urls.write_text("".join(f"{file.as_uri()}\n" for file in files))
    measure(process_command(data_set.raw, data_set.interim), environment=ENVIRONMENT)
    os.sync()  # lest the first trials share the disk with what is still to be written
    return data_set


def write_zip(file: Path, images: Iterable[Named]) -> None:
    """Write images in a zip as photo zips are: JPEGs don't shrink, so they are stored."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, data in images:
            archive.writestr(name, data)
    os.sync()
