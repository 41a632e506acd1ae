"""Builds the TFRecord shards of a processed data set.

In: an interim folder (`manifest.json` and its tables) and the raw images that it was made from. Out:
`{split}-00000-of-0000N.tfrecord`, whose records hold JPEGs under the keys of `contracts.records`, and, last,
`index.json`. The same input and options give the same bytes with any number of processes, or machines.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Final

import typer

from contracts import storage
from contracts.console import log, progress, run_app
from contracts.dataset import SPLITS, Manifest, ResizeMode, Shard, ShardIndex, Split
from contracts.errors import InputError
from contracts.lock import locked
from contracts.options import Input, Output, Workers
from contracts.scratch import scratch
from datapipeline.records import beam_runner, building, pool
from datapipeline.records.building import Building, Settings
from datapipeline.records.examples import read_examples
from datapipeline.records.places import check_places
from datapipeline.records.plan import Plan, ShardPlan, count_shards, shard_names
from datapipeline.records.raw import RawFolder
from datapipeline.records.shard import Workshop, build_shard
from datapipeline.records.verify import verify

app = typer.Typer(add_completion=False, rich_markup_mode=None)

LARGEST_DEFAULT: Final = 256
SMALLEST_DEFAULT: Final = 32

MOST_SHARDS: Final = 99_999
"""What five digits of a name can count."""

LOCAL: Final = "local"
"""The runner that is a pool of processes on this machine; every other one is Beam's."""


@dataclass(frozen=True)
class BuildConfig:
    """How the shards are made."""

    image_size: int | None = None
    resize: ResizeMode = "shorter-side"
    quality: int = 90
    augment_minority: int = 0
    shards: int | None = None
    shard_mb: int = 128
    seed: int = 0
    workers: int | None = None
    raw: str | None = None
    runner: str = LOCAL
    runner_options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.runner == LOCAL and self.runner_options:
            raise InputError(f"there is no option {self.runner_options[0]}: see --help")


def _verify_cli(uri: str | None) -> None:
    if uri is not None:
        verify(uri)
        raise typer.Exit


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def build_records_cli(
    context: typer.Context,
    input_uri: Input,
    output_uri: Output,
    image_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=4096,
            help="Pixels of the shorter side, or of the square; by default the images' own, 32 to 256.",
        ),
    ] = BuildConfig.image_size,
    resize: Annotated[
        ResizeMode, typer.Option(help="shorter-side keeps the ratio; the others make squares.")
    ] = BuildConfig.resize,
    quality: Annotated[
        int, typer.Option(min=1, max=100, help="Of the JPEGs; one that fits already stays as it is.")
    ] = BuildConfig.quality,
    augment_minority: Annotated[
        int,
        typer.Option(
            min=0,
            max=1_000_000,
            metavar="N",
            help="A class with fewer images in train gets augmented copies of them, up to N images.",
        ),
    ] = BuildConfig.augment_minority,
    shards: Annotated[
        int | None, typer.Option(min=1, max=MOST_SHARDS, help="Shards for each split, instead of --shard-mb.")
    ] = BuildConfig.shards,
    shard_mb: Annotated[
        int,
        typer.Option(
            min=1, help="About how large a shard is; a small split has one for every 256 images, up to 16."
        ),
    ] = BuildConfig.shard_mb,
    seed: Annotated[int, typer.Option(help="Another seed, another order.")] = BuildConfig.seed,
    workers: Workers = BuildConfig.workers,
    raw: Annotated[
        str | None, typer.Option(help="The raw data, if it isn't where the manifest says any more.")
    ] = BuildConfig.raw,
    runner: Annotated[
        str,
        typer.Option(
            help="local: processes of this machine. Else a runner of Apache Beam (DirectRunner, "
            "DataflowRunner, FlinkRunner, SparkRunner, PortableRunner); options that aren't ours go to it."
        ),
    ] = BuildConfig.runner,
    _verify: Annotated[
        str | None,
        typer.Option(
            "--verify",
            metavar="URI",
            is_eager=True,
            callback=_verify_cli,
            help="Only check a folder of shards, every record of it, and name the bad ones.",
        ),
    ] = None,
) -> None:
    """Build the TFRecord shards of a processed data set.

    For example:

    python -m datapipeline.records.build_records --input data/interim/digits --output data/processed/digits

    python -m datapipeline.records.build_records --input gs://b/interim/flowers --output gs://b/processed/flowers
    --image-size 224 --resize crop

    python -m datapipeline.records.build_records --input gs://b/interim/dogs --output gs://b/processed/dogs
    --runner DataflowRunner --project P --region europe-west1 --temp_location gs://b/tmp
    --sdk_container_image IMAGE

    python -m datapipeline.records.build_records --verify gs://b/processed/flowers
    """
    config = BuildConfig(
        *(image_size, resize, quality, augment_minority, shards, shard_mb, seed, workers, raw),
        *(runner, tuple(context.args)),
    )
    build_records(input_uri, output_uri, config)


def build_records(input_uri: str, output_uri: str, config: BuildConfig) -> ShardIndex:
    """Build what isn't there yet of a data set's shards; returns the index.

    Raises:
        InputError: the input is no processed data set, or its raw data isn't there.
        StageError: an image isn't what it was when it was processed.
    """
    check_places(input_uri, output_uri)
    manifest = Manifest.read(input_uri)
    raw_uri = config.raw or storage.resolve(manifest.raw, input_uri)
    check_places(raw_uri, output_uri, "raw data")
    settings = _settings(manifest, config)
    counts = _counts(manifest, settings, config)
    wanted = Building(settings=settings, names=tuple(name for split in SPLITS for name in counts[split]))
    with locked(output_uri):
        building.refuse_foreign(output_uri)
        present = building.finished(output_uri, wanted)
        if present is not None and not _remove_damaged(output_uri, present, wanted):
            log("up to date", index=storage.join(output_uri, ShardIndex.file_name))
            return present
        built = _build(input_uri, raw_uri, output_uri, manifest, wanted, config)
        shards = {split: tuple(built[name] for name in counts[split]) for split in SPLITS}
        index = building.finish(output_uri, settings, shards)
    images = sum(index.examples(split) for split in SPLITS)
    log("sharded", shards=len(built), images=images, image_size=settings.image_size, output=output_uri)
    return index


def default_image_size(median_shorter_side: int) -> int:
    """The images' own size: the median shorter side up to the next multiple of 32, from 32 to 256 pixels."""
    return min(LARGEST_DEFAULT, max(SMALLEST_DEFAULT, 32 * math.ceil(median_shorter_side / 32)))


def _settings(manifest: Manifest, config: BuildConfig) -> Settings:
    return Settings(
        dataset=manifest.dataset,
        manifest_digest=manifest.digest,
        class_names=manifest.class_names,
        image_size=config.image_size or default_image_size(manifest.median_shorter_side),
        resize=config.resize,
        quality=config.quality,
        augment_minority=config.augment_minority,
        seed=config.seed,
    )


def _counts(manifest: Manifest, settings: Settings, config: BuildConfig) -> dict[Split, list[str]]:
    """The names of each split's shards."""
    names = {}
    for split in SPLITS:
        least = config.augment_minority if split == "train" else 0
        size = sum(max(count, least) for count in manifest.counts[split].values())
        count = config.shards or count_shards(size, settings.image_size, settings.resize, config.shard_mb)
        if min(count, size) > MOST_SHARDS:
            raise InputError(
                f"expected at most {MOST_SHARDS:,} shards a split, got {count:,}: raise --shard-mb"
            )
        names[split] = shard_names(split, min(count, size))
    return names


def _remove_damaged(output: str, present: ShardIndex, wanted: Building) -> bool:
    damaged = building.damaged(output, building.all_shards(present))
    if damaged:
        building.reopen(output, wanted)
    for shard in damaged:
        log("damaged, built again", shard=shard.name)
        storage.delete(storage.join(output, shard.name))
    return bool(damaged)


def _build(
    input_uri: str, raw_uri: str, output: str, manifest: Manifest, wanted: Building, config: BuildConfig
) -> dict[str, Shard]:
    local = config.runner == LOCAL
    with (
        _work_folder(output, config) as work,
        scratch() as folder,
        RawFolder(raw_uri, listed=False, fetch=local, share=None if local else work) as raw,
    ):
        examples = read_examples(input_uri, manifest)
        plan = Plan(raw, examples, config.seed, config.augment_minority)
        plan.deal(wanted.names)
        building.start(output, wanted)  # now that all is found: what stands there may go
        workshop = Workshop(
            reader=raw.reader,
            output=output,
            class_names=manifest.class_names,
            image_size=wanted.settings.image_size,
            resize=wanted.settings.resize,
            quality=wanted.settings.quality,
        )
        plans = plan.write(wanted.names, work or str(folder))
        results = _run(workshop, plans, len(wanted.names), work, config)
        built = progress(results, total=len(wanted.names), what="sharding", unit="shard")
        return {shard.name: shard for shard in built}


@contextmanager
def _work_folder(output: str, config: BuildConfig) -> Iterator[str]:
    """Where several machines find what they share: in the output folder, while it is being filled."""
    if config.runner == LOCAL:
        yield ""
        return
    building.clear_work(output)
    yield building.work_folder(output)
    building.clear_work(output)


def _run(
    workshop: Workshop, plans: Iterator[ShardPlan], total: int, work: str, config: BuildConfig
) -> Iterator[Shard]:
    if config.runner == LOCAL:
        return pool.run(build_shard, workshop, plans, total, config.workers)
    return beam_runner.run(
        build_shard,
        workshop,
        list(plans),
        name=lambda plan: plan.name,
        results=storage.join(work, "results"),
        runner=config.runner,
        options=config.runner_options,
    )


if __name__ == "__main__":
    run_app(app, "python -m datapipeline.records.build_records")
