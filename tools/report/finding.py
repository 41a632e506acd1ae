"""What there is to look at under a root: of every data set its report, runs, studies and champion.

In: a root (a path or gs://bucket/prefix). Out: what was found; names are relative to the root, with forward
slashes. Nothing is copied here, and nothing but JSON documents is read.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from contracts import storage
from contracts.bundle import MODEL_CARD, REPORT, ModelBundle
from contracts.champion import Champion
from contracts.dataset import Manifest
from contracts.errors import InputError
from models.trainer.tuning.record import Study

DATA_REPORT = "report.html"
TRAINING_REPORT = f"{REPORT}/report.html"
STUDY_REPORT = "study.html"
RUN = "run.json"


class FoundRun(NamedTuple):
    """A finished training run."""

    name: str
    """The run's id; behind its study's, where it belongs to one."""
    bundle: ModelBundle
    report: str | None
    card: str | None


class FoundStudy(NamedTuple):
    """A search for a configuration."""

    name: str
    report: str | None
    study: Study


@dataclass
class FoundDataset:
    """What there is of one data set."""

    name: str
    manifest: Manifest | None = None
    report: str | None = None
    runs: list[FoundRun] = field(default_factory=list)
    studies: list[FoundStudy] = field(default_factory=list)
    champion: str | None = None
    """The name of one of the runs."""
    unfinished: list[str] = field(default_factory=list)
    """Runs that were begun and have no bundle."""
    unreadable: list[str] = field(default_factory=list)
    """For each document that can't be read one line that says why."""

    @property
    def pages(self) -> list[str]:
        """The pages that were found."""
        names = [self.report, *(study.report for study in self.studies)]
        names += [name for run in self.runs for name in (run.report, run.card)]
        return [name for name in names if name]


class Listing:
    """The files under a root that reports can be made of, and their documents."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.names = {name for stage in ("interim", "models") for name in _listed(root, stage)}

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def there(self, name: str) -> str | None:
        """The name, if there is such a file."""
        return name if name in self.names else None

    def uri(self, name: str) -> str:
        """Where a file or a folder is."""
        return storage.join(self.root, name)

    def datasets(self) -> list[str]:
        """The names of the data sets that have been processed or trained on."""
        return sorted({name.split("/")[1] for name in self.names if name.count("/") > 1})

    def below(self, folder: str, document: str, depth: int) -> Iterator[str]:
        """Folders up to `depth` levels below `folder` that hold a document, sorted."""
        for name in sorted(self.names):
            if name.startswith(f"{folder}/") and name.endswith(f"/{document}"):
                inner = name.removesuffix(f"/{document}")
                if 1 <= inner.count("/") - folder.count("/") <= depth:
                    yield inner


def find(root: str, wanted: Collection[str] = ()) -> tuple[list[FoundDataset], Listing]:
    """Look at every data set under a root, or at the wanted ones.

    Raises:
        InputError: there is none, or not the wanted one.
    """
    files = Listing(root)
    found = [_dataset(files, name) for name in files.datasets() if not wanted or name in wanted]
    there = [dataset for dataset in found if dataset.pages or dataset.runs or dataset.unreadable]
    missing = sorted(set(wanted) - {dataset.name for dataset in there})
    if missing or not there:
        what = f"the data set {missing[0]}" if missing else "any data set"
        raise InputError(
            f"nothing to report of {what} under {root}: expected interim/<dataset>/{DATA_REPORT} or "
            f"models/<dataset>/<run>/{ModelBundle.file_name}; "
            "run make pipeline first, or name another --root"
        )
    return there, files


def _listed(root: str, stage: str) -> Iterator[str]:
    try:
        for file in storage.iter_files(storage.join(root, stage)):
            yield f"{stage}/{file.name}"
    except storage.NotFoundError:
        return


def _dataset(files: Listing, name: str) -> FoundDataset:
    interim, models = f"interim/{name}", f"models/{name}"
    found = FoundDataset(name, report=files.there(f"{interim}/{DATA_REPORT}"))
    if f"{interim}/{Manifest.file_name}" in files:
        try:
            found.manifest = Manifest.read(files.uri(interim))
        except InputError as error:
            found.unreadable.append(str(error))
    finished = list(files.below(models, ModelBundle.file_name, depth=2))
    for folder in finished:
        try:
            found.runs.append(_run(files, models, folder))
        except InputError as error:
            found.unreadable.append(str(error))
    found.champion = _champion(files, models, found)
    begun = set(files.below(models, RUN, depth=1)) - set(finished)
    found.unfinished = sorted(folder.removeprefix(f"{models}/") for folder in begun)
    for folder in files.below(models, Study.file_name, depth=1):
        try:
            found.studies.append(_study(files, models, folder))
        except InputError as error:
            found.unreadable.append(str(error))
    return found


def _run(files: Listing, models: str, folder: str) -> FoundRun:
    return FoundRun(
        folder.removeprefix(f"{models}/"),
        ModelBundle.read(files.uri(folder)),
        files.there(f"{folder}/{TRAINING_REPORT}"),
        files.there(f"{folder}/{MODEL_CARD}"),
    )


def _champion(files: Listing, models: str, found: FoundDataset) -> str | None:
    if f"{models}/{Champion.file_name}" not in files:
        return None
    folder = files.uri(models)
    try:
        champion = Champion.read(folder)
    except InputError as error:
        found.unreadable.append(str(error))
        return None
    name = storage.relative(champion.uri(folder), folder)
    if any(run.name == name and run.bundle.digest == champion.digest for run in found.runs):
        return name
    found.unreadable.append(f"the champion, {name}, is not among the runs here, or was trained again since")
    return None


def _study(files: Listing, models: str, folder: str) -> FoundStudy:
    name = folder.removeprefix(f"{models}/")
    return FoundStudy(name, files.there(f"{folder}/{STUDY_REPORT}"), Study.read(files.uri(folder)))
