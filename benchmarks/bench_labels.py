"""`make bench-labels`: labels changed on purpose, and how many of them a training reports as likely errors.

A share of a zip's images, drawn at random, is put into another class's folder. The project's own commands
process, shard and train on that copy, and the run's `report/label_errors.csv` is compared with what was
changed: reports/benchmarks/label_errors.md.
"""

import csv
import random
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Final

import typer

from benchmarks import machine
from benchmarks.commands import ENVIRONMENT, PYTHON, ROOT, build_command, process_command
from benchmarks.measuring import MeasuringError, measure
from benchmarks.report import Target, table, targets_table
from contracts.dataset import SPLITS

REPORT: Final = ROOT / "reports/benchmarks/label_errors.md"
DIGITS: Final = ROOT / "data/sources/digits.zip"
PACKAGES: Final = ("cleanlab", "scikit-learn", "keras", "numpy")
WANTED: Final = 70.0
"""Percent of the changed labels that are to be found, by every network."""

HOW: Final = """\
`make bench-labels` wrote this. Of the {images} images of {source}, {changed} ({share:.0%}, seed {seed}) were
put into the folder of another class, drawn at random. `process`, `build_records` and `train_multi_gpu` ran on
that copy with their defaults; each network was trained from scratch, on the changed labels too. Recall is the
share of the changed labels that stand in the run's `report/label_errors.csv`; precision is the share of its
rows whose label had been changed; a suggestion is right where it names the class that the image was taken
from."""


@dataclass(frozen=True)
class Mislabelled:
    """A folder of class folders in which some images lie wrongly."""

    folder: Path
    truth: Mapping[str, str]
    """The class of each image, by its path in the folder."""

    @property
    def changed(self) -> set[str]:
        """The images that lie in another class's folder."""
        return {name for name, truth in self.truth.items() if PurePosixPath(name).parent.name != truth}


@dataclass(frozen=True)
class Reported:
    """What a run reported of a copy."""

    network: str
    splits: Mapping[str, str]
    """The split of each image."""
    suggestions: Mapping[str, str]
    """The suggested class of each likely label error."""


def mislabel(archive: Path, folder: Path, share: float, seed: int) -> Mislabelled:
    """Unpack a zip of class folders, a share of its images into the folders of other classes."""
    chance = random.Random(seed)  # noqa: S311 - for a repeatable draw, not for secrets
    truth: dict[str, str] = {}
    with zipfile.ZipFile(archive) as opened:
        members = sorted(name for name in opened.namelist() if not name.endswith("/"))
        classes = sorted({PurePosixPath(name).parent.name for name in members})
        moved = set(chance.sample(members, round(share * len(members))))
        for member in members:
            path = PurePosixPath(member)
            own = path.parent.name
            others = [name for name in classes if name != own]
            name = f"{chance.choice(others) if member in moved else own}/{own}-{path.name}"
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(opened.read(member))
            truth[name] = own
    return Mislabelled(folder, truth)


def reported(network: str, data: Mislabelled, work: Path) -> Reported:
    """Train a network on the records of a copy, and read what it says of the labels."""
    output = work / network
    command = [PYTHON, "-m", f"models.{network}.train_multi_gpu", "--wandb", "off", "--gpu", "0"]
    measure([*command, "--input", str(work / "processed"), "--output", str(output)], environment=ENVIRONMENT)
    suggestions = {row["filename"]: row["suggested"] for row in _rows(output / "report/label_errors.csv")}
    splits = {row["path"]: split for split in SPLITS for row in _rows(work / f"interim/{split}.csv")}
    if stray := (suggestions.keys() | splits.keys()) - data.truth.keys():
        raise MeasuringError(f"{network} reports images that aren't in {data.folder}: {sorted(stray)[:3]}")
    return Reported(network, splits, suggestions)


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def found_table(data: Mislabelled, run: Reported) -> str:
    """Recall and precision of each split, and of all together."""
    rows = []
    for split in (*SPLITS, "all"):
        images = {name for name, place in run.splits.items() if split in (place, "all")}
        changed, said = images & data.changed, images & run.suggestions.keys()
        hits = changed & said
        right = sum(run.suggestions[name] == data.truth[name] for name in hits)
        counts = [str(len(some)) for some in (images, changed, said, hits)]
        shares = [percent(len(hits), len(changed)), percent(len(hits), len(said)), percent(right, len(hits))]
        rows.append([split, *counts, *shares])
    header = ["split", "images", "changed", "reported", "of them changed"]
    return table([*header, "recall", "precision", "right suggestions"], rows)


def percent(some: int, of: int) -> str:
    """A share, where there is one."""
    return f"{some / of:.1%}" if of else "none"


def target(data: Mislabelled, run: Reported) -> Target:
    """The bound that a network must keep."""
    changed = data.changed & run.splits.keys()
    found = 100 * len(changed & run.suggestions.keys()) / len(changed)
    return Target(f"changed labels that {run.network} finds", found, WANTED, unit="%")


def main(
    model: Annotated[list[str] | None, typer.Option(help="A network of src/models; repeatable.")] = None,
    source: Annotated[Path, typer.Option(help="A zip of class folders.", exists=True)] = DIGITS,
    share: Annotated[float, typer.Option(min=0.001, max=0.5, help="Of the labels, changed.")] = 0.05,
    seed: Annotated[int, typer.Option(help="Of what is changed.")] = 0,
    report: Annotated[Path, typer.Option(help="Where to write the report.")] = REPORT,
) -> None:
    """Change labels, train, and write how many were found."""
    with tempfile.TemporaryDirectory(prefix="chrysalis-bench-") as folder:
        work = Path(folder)
        data = mislabel(source, work / "raw", share, seed)
        measure(process_command(data.folder, work / "interim"), environment=ENVIRONMENT)
        measure(build_command(work / "interim", work / "processed"), environment=ENVIRONMENT)
        runs = []
        for network in model or ["vgg16", "cnn"]:
            runs.append(reported(network, data, work))
            sys.stdout.write(f"{network}\n{found_table(data, runs[-1])}\n")
            sys.stdout.flush()
    how = HOW.format(
        images=len(data.truth), source=source.name, changed=len(data.changed), share=share, seed=seed
    )
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(document(how, data, runs), encoding="utf-8")


def document(how: str, data: Mislabelled, runs: Sequence[Reported]) -> str:
    """The report."""
    blocks = [
        "# Likely label errors, measured",
        how,
        machine.as_table({"versions": machine.versions(PACKAGES)}),
    ]
    blocks += ["## Target", targets_table(target(data, run) for run in runs)]
    for run in runs:
        blocks += [f"## {run.network}", found_table(data, run)]
    return "\n\n".join(blocks) + "\n"


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        app()
    except MeasuringError as error:
        sys.exit(f"make bench-labels: {error}")
