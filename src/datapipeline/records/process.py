"""Checks, splits and describes a raw data set.

In: a raw folder, or one archive; images in class folders. Out: an interim folder with `{train,val,test}.csv`,
`rejected.csv`, `report.html` and, last, `manifest.json`. The raw data is never changed.
"""

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low
from typing import Annotated

import typer

from contracts import storage
from contracts.console import log, run_app
from contracts.dataset import SPLITS, Example, Manifest, Rejected, Source
from contracts.errors import InputError
from contracts.options import Input, Output, Workers
from datapipeline.records.archives import SUFFIXES
from datapipeline.records.examine import examine
from datapipeline.records.examples import REJECTED, digest, read_examples, to_csv, write_examples
from datapipeline.records.labelling import check_enough, to_examples
from datapipeline.records.places import check_places
from datapipeline.records.raw import RawFolder
from datapipeline.records.report import REPORT, render
from datapipeline.records.split import FEWEST, Fractions

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@dataclass(frozen=True)
class ProcessConfig:
    """How a raw data set is split."""

    split: Fractions = (0.8, 0.1, 0.1)
    seed: int = 0
    min_per_class: int = FEWEST
    workers: int | None = None

    def __post_init__(self) -> None:
        if min(self.split) <= 0 or not math.isclose(sum(self.split), 1, abs_tol=1e-6):
            given = " ".join(str(fraction) for fraction in self.split)
            raise InputError(f"expected --split as three fractions above 0 that add up to 1, got {given}")


@app.command()
def process_cli(
    input_uri: Input,
    output_uri: Output,
    split: Annotated[
        tuple[float, float, float], typer.Option(help="Fractions of train, val and test.")
    ] = ProcessConfig.split,
    seed: Annotated[int, typer.Option(help="Another seed, another split.")] = ProcessConfig.seed,
    min_per_class: Annotated[
        int, typer.Option(min=FEWEST, help="Different images that each class must have.")
    ] = ProcessConfig.min_per_class,
    workers: Workers = None,
) -> None:
    """Check every image of a data set and split it into train, val and test.

    The input is a folder of images in class folders, of archives (zip, tar, tar.gz) of them, or one archive;
    an image's class is the folder that directly holds it. Archives are read in place.

    For example:

    python -m datapipeline.records.process --input data/raw/digits --output data/interim/digits

    python -m datapipeline.records.process --input photos.zip --output gs://bucket/interim/photos --seed 1
    """
    process(input_uri, output_uri, ProcessConfig(split, seed, min_per_class, workers))


def process(input_uri: str, output_uri: str, config: ProcessConfig) -> Manifest:
    """Check and split a raw data set; returns the manifest that was written, or found up to date.

    Raises:
        InputError: there is nothing there, or no data set that can be split.
    """
    check_places(input_uri, output_uri)
    with RawFolder(input_uri) as raw:
        class_names = _class_names(raw)
        wanted = {
            "dataset": _dataset(raw),
            "raw": storage.relative(_absolute(raw.uri), output_uri),
            "source_digest": raw.digest(),
            "seed": config.seed,
            "fractions": config.split,
        }
        present = _up_to_date(output_uri, wanted)
        if present is not None:
            check_enough(read_examples(output_uri, present), class_names, config.min_per_class)
            log("up to date", manifest=storage.join(output_uri, Manifest.file_name))
            return present
        images, rejected = examine(raw, config.workers)
        examples = to_examples(images, class_names, config.split, config.seed, config.min_per_class)
        manifest = _manifest(examples, len(rejected), wanted)
        # From here to the end the folder has no manifest: a reader never meets old and new together.
        storage.delete(storage.join(output_uri, Manifest.file_name))
        write_examples(output_uri, examples)
        storage.write_bytes(storage.join(output_uri, REJECTED), to_csv(Rejected, rejected))
        storage.write_bytes(storage.join(output_uri, REPORT), render(manifest, examples, rejected, raw))
        manifest.write(output_uri)
    log(
        "processed",
        images=len(examples),
        classes=len(manifest.class_names),
        rejected=len(rejected),
        **{split: sum(manifest.counts[split].values()) for split in SPLITS},
        report=storage.join(output_uri, REPORT),
    )
    return manifest


def _class_names(raw: RawFolder) -> list[str]:
    names = sorted({image.class_name for image in raw.images})
    if not names:
        reason = f"; {raw.rejected[0].path}: {raw.rejected[0].reason}" if raw.rejected else ""
        raise InputError(
            f"{raw.uri} holds no images in class folders (as roses/1.jpg), nor an archive of such "
            f"({', '.join(SUFFIXES[:3])}){reason}"
        )
    if len(names) == 1:
        raise InputError(
            f"{raw.uri} holds one class only, {names[0]!r}: a classifier needs two or more folders of images"
        )
    return names


def _absolute(uri: str) -> str:
    # A relative path would count from the manifest's folder, and mean nothing in a bucket.
    return uri if storage.is_remote(uri) else str(Path(uri).absolute())


def _dataset(raw: RawFolder) -> str:
    source = Source.read_if_there(raw.uri)
    if source is not None:
        return source.dataset
    name = storage.last_part(raw.uri)
    return next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), name)


def _up_to_date(folder: str, wanted: dict[str, object]) -> Manifest | None:
    """The manifest of an earlier run that asked for the same and whose files are whole."""
    manifest = Manifest.read_if_there(folder)
    if manifest is None or any(getattr(manifest, key) != value for key, value in wanted.items()):
        return None
    if not all(storage.exists(storage.join(folder, name)) for name in (REJECTED, REPORT)):
        return None
    try:
        read_examples(folder, manifest)
    except InputError:
        return None
    return manifest


def _manifest(examples: list[Example], rejected: int, wanted: dict[str, object]) -> Manifest:
    names = sorted({row.class_name for row in examples})
    counted = Counter((row.split, row.class_name) for row in examples)
    return Manifest.model_validate(
        {
            **wanted,
            "class_names": names,
            "counts": {split: {name: counted[split, name] for name in names} for split in SPLITS},
            "rejected": rejected,
            "median_shorter_side": median_low(min(row.width, row.height) for row in examples),
            "digest": digest(examples),
        }
    )


if __name__ == "__main__":
    run_app(app, "python -m datapipeline.records.process")
