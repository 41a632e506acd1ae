"""Checks, splits and describes a raw data set.

In: a raw folder, or one archive; images in class folders; or a managed data set of Vertex AI. Out: an interim
folder with `{train,val,test}.csv`, `rejected.csv`, `duplicates.csv`, `report.html` and, last,
`manifest.json`. The raw data is never changed.
"""

import math
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from contracts import storage
from contracts.console import log, run_app
from contracts.dataset import SPLITS, Example, Manifest, Rejected, Source
from contracts.errors import InputError
from contracts.lock import locked
from contracts.options import OptionalInput, Output, Workers
from contracts.run_name import run_name
from datapipeline.records.archives import SUFFIXES
from datapipeline.records.duplicates import cluster, drop, groups
from datapipeline.records.examine import Animated, Criteria, examine
from datapipeline.records.examples import (
    DUPLICATES,
    REJECTED,
    csv_name,
    read_examples,
    write_csv,
    write_examples,
)
from datapipeline.records.managed import Managed, ManagedImages, managed_data
from datapipeline.records.naming import same_but_for_case
from datapipeline.records.places import check_ours, check_places, document_mark
from datapipeline.records.raw import RawFolder
from datapipeline.records.report import REPORT, render
from datapipeline.records.split import FEWEST, Fractions, assign, gather, own
from datapipeline.records.worktable import WorkTable

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_DUPLICATES: Final = ("group", "path", "class_name", "split", "sha256")
_MARKS: Final = {
    **{csv_name(split): b",".join(map(str.encode, Example.model_fields)) + b"\n" for split in SPLITS},
    REJECTED: b",".join(map(str.encode, Rejected.model_fields)) + b"\n",
    DUPLICATES: b",".join(map(str.encode, _DUPLICATES)) + b"\n",
    REPORT: rb'\s*<!doctype html>.*<meta name="generator" content="Chrysalis">',
    Manifest.file_name: document_mark("dataset"),
}
"""How our files begin, which tells them from others of the same name: Kaggle's data sets have a train.csv."""

Duplicates = Literal["group", "drop", "ignore"]
SmallClasses = Literal["refuse", "reject"]


@dataclass(frozen=True)
class ProcessConfig:
    """What is taken from a raw data set, and how it is split."""

    split: Fractions = (0.8, 0.1, 0.1)
    keep_split: bool = False
    seed: int = 0
    near_duplicates: Duplicates = "group"
    min_per_class: int = FEWEST
    small_classes: SmallClasses = "refuse"
    min_side: int = Criteria.min_side
    animated: Animated = Criteria.animated
    workers: int | None = None

    def __post_init__(self) -> None:
        if min(self.split) <= 0 or not math.isclose(sum(self.split), 1, abs_tol=1e-6):
            given = " ".join(str(fraction) for fraction in self.split)
            raise InputError(f"expected --split as three fractions above 0 that add up to 1, got {given}")


@app.command()
def process_cli(
    output_uri: Output,
    input_uri: OptionalInput = None,
    split: Annotated[
        tuple[float, float, float],
        typer.Option(help="About which fractions train, val and test get: each image falls by itself."),
    ] = ProcessConfig.split,
    keep_split: Annotated[
        bool | None,
        typer.Option(
            help="Keep the author's split: folders called train (training), val (valid, validation, dev) and "
            "test (testing). A side that is missing is drawn from train, by --split. By default that of a "
            "managed data set is kept.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed, another split.")] = ProcessConfig.seed,
    near_duplicates: Annotated[
        Duplicates,
        typer.Option(
            help="Images that look the same: group them on one side of the split, drop all but the "
            "largest of each class, or ignore that they look the same (exact copies are always grouped)."
        ),
    ] = ProcessConfig.near_duplicates,
    min_per_class: Annotated[
        int, typer.Option(min=FEWEST, help="Different images that each class must have.")
    ] = ProcessConfig.min_per_class,
    small_classes: Annotated[
        SmallClasses,
        typer.Option(help="What has fewer: refuse the data set, or reject those classes' images."),
    ] = ProcessConfig.small_classes,
    min_side: Annotated[
        int, typer.Option(min=1, help="Reject images whose shorter side has fewer pixels.")
    ] = ProcessConfig.min_side,
    animated: Annotated[
        Animated, typer.Option(help="Of an animation take the first frame, or reject it.")
    ] = ProcessConfig.animated,
    workers: Workers = None,
) -> None:
    """Check every image of a data set and split it into train, val and test.

    The input is a folder of images in class folders, of archives (zip, tar, tar.gz) of them, or one archive;
    an image's class is the folder that directly holds it. Archives are read in place. Without --input, the
    managed data set is taken that Vertex AI gives a training job (AIP_DATA_FORMAT=jsonl).

    For example:

    python -m datapipeline.records.process --input data/raw/digits --output data/interim/digits

    python -m datapipeline.records.process --input photos.zip --output gs://bucket/interim/photos --seed 1

    python -m datapipeline.records.process --input kaggle.zip --output data/interim/dogs --keep-split
    """
    managed = None if input_uri else managed_data()
    if input_uri is None and managed is None:
        raise InputError("no --input: name a folder of images in class folders, or an archive of them")
    keep_split = managed is not None if keep_split is None else keep_split
    config = ProcessConfig(
        *(split, keep_split, seed, near_duplicates, min_per_class, small_classes, min_side, animated),
        workers=workers,
    )
    process(managed or input_uri or "", output_uri, config)


def process(source: str | Managed, output_uri: str, config: ProcessConfig) -> Manifest:
    """Check and split a raw data set; returns the manifest that was written, or found up to date.

    Args:
        source: a raw folder or an archive, a path or a gs:// URI; or a managed data set.
        output_uri: the interim folder.
        config: what is taken, and how it is split.

    Raises:
        InputError: there is nothing there, or no data set that can be split.
    """
    input_uri = source.folder if isinstance(source, Managed) else source
    check_places(input_uri, output_uri)
    _refuse_unfinished(input_uri)
    with locked(output_uri), _opened(source) as raw:
        before = Manifest.read_if_there(output_uri)
        if before is None:
            check_ours(output_uri, _MARKS)
        _hint(raw, config)
        wanted = _wanted(source, raw, output_uri, config)
        if before is not None and _is_up_to_date(before, output_uri, wanted):
            _check_enough(before.different, config.min_per_class)
            log("up to date", manifest=storage.join(output_uri, Manifest.file_name))
            return before
        examine(raw, Criteria(config.min_side, config.animated), config.workers)
        different = _split(raw, config)
        manifest = _manifest(raw.table, different, wanted)
        moved = _moved(raw.table, before, output_uri) if before else 0
        # From here to the end the folder has no manifest: a reader never meets old and new together.
        storage.delete(storage.join(output_uri, Manifest.file_name))
        manifest = _write(raw, manifest, output_uri)
    _tell(manifest, moved, output_uri)
    return manifest


def _wanted(
    source: str | Managed, raw: RawFolder, output_uri: str, config: ProcessConfig
) -> dict[str, object]:
    """What a manifest says that its folder was made of, and how."""
    return {
        "dataset": run_name(output_uri) if isinstance(source, Managed) else _dataset(raw),
        "raw": storage.relative(_absolute(raw.uri), output_uri),
        "source_digest": raw.digest(),
        "seed": config.seed,
        "fractions": config.split,
        "keep_split": config.keep_split,
        "near_duplicates": config.near_duplicates,
        "small_classes": config.small_classes,
        "min_side": config.min_side,
        "animated": config.animated,
    }


def _tell(manifest: Manifest, moved: int, output_uri: str) -> None:
    log(
        "processed",
        images=manifest.images,
        classes=len(manifest.class_names),
        rejected=manifest.rejected,
        duplicates=manifest.duplicates,
        conflicts=manifest.conflicts,
        **({"moved_to_another_side": moved} if moved else {}),
        **{split: manifest.images_in(split) for split in SPLITS},
        report=storage.join(output_uri, REPORT),
    )


def _opened(source: str | Managed) -> RawFolder:
    return ManagedImages(source) if isinstance(source, Managed) else RawFolder(source)


def _refuse_unfinished(input_uri: str) -> None:
    """A download that broke off has no source.json, but a note of what it was about."""
    note = storage.join(input_uri, Source.unfinished_name)
    if storage.exists(note) and not storage.exists(storage.join(input_uri, Source.file_name)):
        raise InputError(f"{input_uri} isn't whole: its download broke off; run {Source.made_by} again")


def _hint(raw: RawFolder, config: ProcessConfig) -> None:
    """Refuse what holds no classes, and say what may not be meant."""
    names = _class_names(raw)
    alike = same_but_for_case(names)
    if alike:
        log("classes whose names differ by case only", classes=sorted(chain.from_iterable(alike)))
    if len(raw.given_sides) > 1 and not config.keep_split:
        log("the author's split isn't kept: see --keep-split", folders=sorted(raw.given_sides))


def _split(raw: RawFolder, config: ProcessConfig) -> dict[str, int]:
    """Give every image its side; returns for each class how many different images are its own."""
    table = raw.table
    cluster(table, near=config.near_duplicates != "ignore")
    gather(table, config.seed, keep=config.keep_split)
    different = _different(raw)
    if config.small_classes == "reject":
        small = [name for name, count in different.items() if count < config.min_per_class]
        for name in small:
            reason = f"its class has fewer than {config.min_per_class} different images"
            table.reject_where("class_name = ?", "?", (name,), (reason,))
        raw.class_names.difference_update(small)
        gather(table, config.seed, keep=config.keep_split)
        different = _different(raw)
        _class_names(raw)
    _check_enough(different, config.min_per_class)
    assign(table, config.split, keep=config.keep_split)
    if config.near_duplicates == "drop":
        drop(table)
    return different


def _different(raw: RawFolder) -> dict[str, int]:
    # From the raw data's names: a class whose images are all broken is missed, not forgotten.
    names = sorted({*raw.class_names, *raw.table.class_names()})
    return dict.fromkeys(names, 0) | own(raw.table)


def _check_enough(different: dict[str, int], fewest: int) -> None:
    small = [f"{name!r} has {count}" for name, count in different.items() if count < fewest]
    if small:
        raise InputError(
            f"every class needs {fewest} different usable images of its own (one for each of train, val and "
            f"test at least): {', '.join(small[:5])}{', …' if len(small) > 5 else ''}; add images, or leave "
            "these classes out with --small-classes reject"
        )


def _moved(table: WorkTable, before: Manifest, output: str) -> int:
    """How many images of an earlier run with the same seed and fractions are on another side now."""
    moved = 0
    with suppress(InputError):
        for row in read_examples(output, before):
            now = table.sql.execute("SELECT split FROM image WHERE path = ?", (row.path,)).fetchone()
            moved += now is not None and now[0] != row.split
    return moved


def _write(raw: RawFolder, manifest: Manifest, output: str) -> Manifest:
    """Write the tables, the report and, with the digest of what was written, the manifest."""
    digest = write_examples(raw.table, manifest.class_names, output)
    manifest = manifest.model_copy(update={"digest": digest})
    write_csv(storage.join(output, REJECTED), Rejected.model_fields, raw.table.rejected())
    write_csv(storage.join(output, DUPLICATES), _DUPLICATES, groups(raw.table))
    storage.write_bytes(storage.join(output, REPORT), render(manifest, raw))
    manifest.write(output)
    return manifest


def _class_names(raw: RawFolder) -> set[str]:
    names = raw.class_names or set(raw.table.class_names())
    if not names:
        path, reason = next(raw.table.rejected(), ("", ""))
        raise InputError(
            f"{raw.uri} holds no images in class folders (as roses/1.jpg), nor an archive of such "
            f"({', '.join(SUFFIXES[:3])}){f'; {path}: {reason}' if path else ''}"
        )
    if len(names) == 1:
        raise InputError(
            f"{raw.uri} holds one class only, {names.pop()!r}: a classifier needs two or more folders"
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


def _is_up_to_date(before: Manifest, folder: str, wanted: dict[str, object]) -> bool:
    """Whether an earlier run asked for the same, and its files are whole."""
    if any(getattr(before, key) != value for key, value in wanted.items()):
        return False
    if not all(storage.exists(storage.join(folder, name)) for name in (REJECTED, DUPLICATES, REPORT)):
        return False
    try:
        for _ in read_examples(folder, before):
            pass
    except InputError:
        return False
    return True


def _manifest(table: WorkTable, different: dict[str, int], wanted: dict[str, object]) -> Manifest:
    """The manifest but for its digest, which is known when the examples are written."""
    names = table.class_names()
    query = "SELECT split, class_name, COUNT(*) FROM image GROUP BY 1, 2"
    counted = {(split, name): count for split, name, count in table.sql.execute(query)}
    sides = table.sql.execute(
        "SELECT MIN(width, height) FROM image ORDER BY 1"
        " LIMIT 1 OFFSET (SELECT (COUNT(*) - 1) / 2 FROM image)"
    )
    return Manifest.model_validate(
        {
            **wanted,
            "class_names": names,
            "counts": {split: {name: counted.get((split, name), 0) for name in names} for split in SPLITS},
            "different": different,
            "duplicates": table.count() - table.count("(SELECT DISTINCT cluster FROM image)"),
            "conflicts": table.count(
                "(SELECT cluster FROM image GROUP BY cluster HAVING COUNT(DISTINCT class_name) > 1)"
            ),
            "rejected": table.count("rejected"),
            "median_shorter_side": sides.fetchone()[0],
            "digest": "",
        }
    )


if __name__ == "__main__":
    run_app(app, "python -m datapipeline.records.process")
