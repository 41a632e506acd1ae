"""What the trainer hands to whoever serves or judges a model: a folder that `bundle.json` finishes."""

import hashlib
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    Field,
    FiniteFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
)

from contracts import storage
from contracts.dataset import ResizeMode
from contracts.documents import Document, Part
from contracts.errors import InputError
from contracts.verdict import Verdict

SAVED_MODEL = "saved_model"
KERAS_MODEL = "model.keras"
LITERT_MODEL = "model.tflite"
LABELS = "labels.csv"
MODEL_CARD = "model_card.md"
REPORT = "report"
GOLDEN = "golden"
"""The names inside a bundle; `report/` holds report.html, metrics.json and what they show."""

Runtime = Literal["tensorflow", "litert"]
SERVED: dict[Runtime, str] = {"tensorflow": SAVED_MODEL, "litert": LITERT_MODEL}
"""What runs which of a bundle's models; both give calibrated probabilities."""


LARGEST = 8192
"""Pixels of a network's input's side, and of the records'."""


class ImageSpec(Part):
    """How encoded bytes become the network's input, uint8 RGB of [size, size, 3] in 0…255.

    The image is decoded upright, resized to `record_size` by `resize`, as the records were, and its centre
    square of `size` is taken. Colour order, scaling and mean subtraction are part of the network's graph.
    `imaging.prepare` does it.
    """

    size: PositiveInt = Field(le=LARGEST, description="pixels; the side of the network's square input")
    record_size: PositiveInt = Field(le=LARGEST, description="pixels; the size the records were resized to")
    resize: ResizeMode
    colour_order: Literal["RGB"] = "RGB"
    value_range: tuple[int, int] = (0, 255)


class BundleFile(Part):
    """One file of the bundle."""

    bytes: NonNegativeInt
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Self:
        """Describe a local file."""
        with path.open("rb") as file:
            return cls(bytes=path.stat().st_size, sha256=hashlib.file_digest(file, "sha256").hexdigest())


class LiteRT(Part):
    """How `model.tflite` was made, and how far it agrees with the float network."""

    quantization: Literal["int8-dynamic-range", "float16"]
    agreement: float = Field(ge=0, le=1, description="share of validation images with the same top class")
    examples: PositiveInt = Field(description="validation images compared")


class Calibration(Part):
    """What the logits are divided by before the softmax, so that the network is as sure as it is right.

    It is part of the graphs of `saved_model/` and `model.tflite`: their probabilities are calibrated.
    `model.keras` gives logits, and knows nothing of it.
    """

    temperature: PositiveFloat = Field(description="1: as trained; above it less sure, below it surer")
    examples: PositiveInt = Field(description="validation images that it was fitted on")


class Golden(Part):
    """An image of the bundle with the probabilities that `model.tflite` must give for it."""

    file: str
    probabilities: tuple[FiniteFloat, ...]


def _check_time(time: datetime) -> datetime:
    try:
        time.astimezone(UTC)
    except OverflowError:
        raise ValueError("expected a time within the years 1 to 9999 of UTC") from None
    return time


def _check_unique(names: tuple[str, ...]) -> tuple[str, ...]:
    for name, count in Counter(names).items():
        if count > 1:
            raise ValueError(f"expected different names, got {name!r} {count} times")
    return names


class ModelBundle(Document):
    """`models/<dataset>/<run-id>/bundle.json`."""

    file_name: ClassVar[str] = "bundle.json"
    made_by: ClassVar[str] = "python -m models.<arch>.train_multi_gpu"
    current_version: ClassVar[int] = 2

    schema_version: int = Field(default=2)
    name: str = Field(description="the run's id: the folder's name")
    architecture: str
    dataset: str
    dataset_digest: str
    created_at: Annotated[AwareDatetime, AfterValidator(_check_time)]
    class_names: Annotated[tuple[str, ...], AfterValidator(_check_unique)] = Field(
        min_length=2, description="the index is the label"
    )
    image: ImageSpec
    calibration: Calibration
    litert: LiteRT
    golden: tuple[Golden, ...] = Field(min_length=1)
    golden_tolerance: float = Field(
        ge=0, le=1, description="largest difference of a probability at the replay"
    )
    metrics: dict[str, FiniteFloat] = Field(description="of the test split")
    gate: Verdict | None = Field(default=None, description="None: not judged")
    config: dict[str, Any] = Field(description="the run's whole configuration")
    git_commit: str | None
    packages: dict[str, str]
    wandb_run: str | None = Field(description="the run's id, or None where W&B was off")
    files: dict[str, BundleFile] = Field(description="every file but this one")

    @property
    def digest(self) -> str:
        """sha256 over the files' names and checksums: the same whatever the gate says of the bundle."""
        lines = sorted(f"{name} {file.sha256}\n" for name, file in self.files.items())
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def check_blessed(self, uri: str) -> None:
        """Refuse a bundle that the gate didn't bless.

        Args:
            uri: its folder, for the message.

        Raises:
            InputError: it was refused, or never judged.
        """
        if self.gate is None:
            raise InputError(f"the bundle {uri} wasn't judged: run python -m models.trainer.gate on it first")
        if not self.gate.blessed:
            raise InputError(
                f"the gate refused the bundle {uri}: {' '.join(self.gate.reasons)} Name one that is blessed"
            )

    def check_classes(self, uri: str, class_names: Sequence[str], data: str) -> None:
        """Refuse data of other classes.

        Args:
            uri: the bundle's folder, for the message.
            class_names: of the data.
            data: its folder, for the message.

        Raises:
            InputError: they aren't the same, in the same order.
        """
        if self.class_names == tuple(class_names):
            return
        ours, theirs = set(self.class_names), set(class_names)
        only = [f"only in the model: {', '.join(sorted(ours - theirs)[:5])}"] if ours - theirs else []
        only += [f"only in the data: {', '.join(sorted(theirs - ours)[:5])}"] if theirs - ours else []
        raise InputError(
            f"expected the same classes, but {uri} knows {len(self.class_names)} and {data} has "
            f"{len(class_names)} ({'; '.join(only) or 'in another order'}): "
            "name the data set that the model is for"
        )

    def names(self, wanted: Collection[str] | None = None) -> list[str]:
        """The files of the bundle; only those that `wanted` names, or that lie in a folder that it names."""
        if wanted is None:
            return list(self.files)
        return [name for name in self.files if name in wanted or name.partition("/")[0] in wanted]


_AGAIN = "copy the bundle again, or remove its folder and train again"


@contextmanager
def open_bundle(uri: str, wanted: Collection[str] | None = None) -> Iterator[tuple[Path, ModelBundle]]:
    """Give a bundle's local folder and its document: every file is there, the wanted ones are verified.

    A local bundle is used where it is; of a remote one the wanted files are fetched to a temporary folder,
    which is gone when the block ends.

    Args:
        uri: the bundle's folder.
        wanted: names of files, or of folders at the bundle's root, such as `LITERT_MODEL` and `GOLDEN`;
            None: all.

    Raises:
        InputError: it is no finished bundle, or a file is missing or differs from what `bundle.json` says.
    """
    bundle = ModelBundle.read(uri)
    names = bundle.names(wanted)
    missing = [name for name in wanted or () if not bundle.names([name])]
    if missing:
        raise InputError(f"the bundle {uri} lists no {missing[0]} in its {bundle.file_name}: {_AGAIN}")
    _check_whole(uri, bundle)
    if not storage.is_remote(uri):
        _verify(uri, Path(uri), bundle, names)
        yield Path(uri), bundle
        return
    with tempfile.TemporaryDirectory(prefix="chrysalis-bundle-") as folder:
        storage.download_many(uri, names, Path(folder))
        _verify(uri, Path(folder), bundle, names)
        yield Path(folder), bundle


def check_files(uri: str, bundle: ModelBundle, wanted: Collection[str]) -> None:
    """Check that a bundle's files are there, and those of a local one unchanged; nothing is fetched.

    Args:
        uri: the bundle's folder.
        bundle: its document.
        wanted: the files to be read: see `open_bundle`.

    Raises:
        InputError: a file is missing, or differs from what `bundle.json` says.
    """
    _check_whole(uri, bundle)
    if not storage.is_remote(uri):
        _verify(uri, Path(uri), bundle, bundle.names(wanted))


def _check_whole(uri: str, bundle: ModelBundle) -> None:
    there = {file.name for file in storage.list_files(uri)}
    for name in bundle.files:
        if name not in there:
            raise InputError(f"the bundle {uri} lacks {name}: {_AGAIN}")


def _verify(uri: str, folder: Path, bundle: ModelBundle, names: Collection[str]) -> None:
    for name in names:
        path, expected = folder / name, bundle.files[name]
        found = BundleFile.of(path)
        if found != expected:
            raise InputError(
                f"{storage.join(uri, name)} isn't the file that {bundle.file_name} describes (expected "
                f"{expected.bytes} bytes with sha256 {expected.sha256[:12]}…, found {found.bytes} with "
                f"{found.sha256[:12]}…): {_AGAIN}"
            )
