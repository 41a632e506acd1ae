"""Builds the TFRecord shards of a processed data set.

In: an interim folder (`manifest.json` and its tables) and the raw images that it was made from. Out:
`{split}-00000-of-0000N.tfrecord`, whose records hold RGB JPEGs under the keys of `contracts.records`, and,
last, `index.json`. The same input and options give the same bytes with any number of processes.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Final

import typer

from contracts import storage
from contracts.console import log, progress, run_app
from contracts.dataset import SPLITS, Example, Manifest, ResizeMode, Shard, ShardIndex, Split
from contracts.options import Input, Output, Workers
from datapipeline.records import building, pool
from datapipeline.records.building import Building, Settings
from datapipeline.records.examples import read_examples
from datapipeline.records.places import check_places
from datapipeline.records.plan import ShardPlan, count_shards, plan_shards
from datapipeline.records.raw import RawFolder
from datapipeline.records.shard import ShardTask, Workshop, build_shard

app = typer.Typer(add_completion=False, rich_markup_mode=None)

LARGEST_DEFAULT: Final = 256
SMALLEST_DEFAULT: Final = 32


@dataclass(frozen=True)
class BuildConfig:
    """How the shards are made."""

    image_size: int | None = None
    resize: ResizeMode = "shorter-side"
    quality: int = 90
    shards: int | None = None
    shard_mb: int = 128
    seed: int = 0
    workers: int | None = None
    raw: str | None = None


@app.command()
def build_records_cli(
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
    quality: Annotated[int, typer.Option(min=1, max=100, help="Of the JPEGs.")] = BuildConfig.quality,
    shards: Annotated[
        int | None, typer.Option(min=1, max=99_999, help="Shards for each split, instead of --shard-mb.")
    ] = BuildConfig.shards,
    shard_mb: Annotated[int, typer.Option(min=1, help="About how large a shard is.")] = BuildConfig.shard_mb,
    seed: Annotated[int, typer.Option(help="Another seed, another order.")] = BuildConfig.seed,
    workers: Workers = BuildConfig.workers,
    raw: Annotated[
        str | None, typer.Option(help="The raw data, if it isn't where the manifest says any more.")
    ] = BuildConfig.raw,
) -> None:
    """Build the TFRecord shards of a processed data set.

    For example:

    python -m datapipeline.records.build_records --input data/interim/digits --output data/processed/digits

    python -m datapipeline.records.build_records --input gs://b/interim/flowers --output gs://b/processed/flowers
    --image-size 224 --resize crop
    """
    config = BuildConfig(image_size, resize, quality, shards, shard_mb, seed, workers, raw)
    build_records(input_uri, output_uri, config)


def build_records(input_uri: str, output_uri: str, config: BuildConfig) -> ShardIndex:
    """Build what isn't there yet of a data set's shards; returns the index.

    Raises:
        InputError: the input is no processed data set, or its raw data isn't there.
        StageError: an image isn't what it was when it was processed.
    """
    check_places(input_uri, output_uri)
    manifest = Manifest.read(input_uri)
    examples = read_examples(input_uri, manifest)
    settings = _settings(manifest, config)
    plans = plan_shards(examples, _counts(examples, settings, config), config.seed)
    wanted = Building(settings=settings, names=tuple(plan.name for plan in plans))
    present = building.finished(output_uri, wanted)
    if present is None:
        building.start(output_uri, wanted)
    else:
        damaged = building.damaged(output_uri, building.all_shards(present))
        if not damaged:
            log("up to date", index=storage.join(output_uri, ShardIndex.file_name))
            return present
        for shard in damaged:
            log("damaged, built again", shard=shard.name)
            storage.delete(storage.join(output_uri, shard.name))
    raw = config.raw or storage.resolve(manifest.raw, input_uri)
    built = _build(raw, output_uri, settings, plans, config.workers)
    index = building.finish(output_uri, settings, built)
    log("sharded", shards=len(plans), images=len(examples), image_size=settings.image_size, output=output_uri)
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
        seed=config.seed,
    )


def _counts(examples: list[Example], settings: Settings, config: BuildConfig) -> dict[Split, int]:
    sizes = {split: sum(row.split == split for row in examples) for split in SPLITS}
    return {
        split: config.shards or count_shards(size, settings.image_size, settings.resize, config.shard_mb)
        for split, size in sizes.items()
    }


def _build(
    raw_uri: str, output: str, settings: Settings, plans: list[ShardPlan], workers: int | None
) -> dict[Split, tuple[Shard, ...]]:
    with RawFolder(raw_uri, fetch=True) as raw:
        tasks = [ShardTask(plan, tuple(raw.find([row.path for row in plan.examples]))) for plan in plans]
        workshop = Workshop(
            reader=raw.reader,
            output=output,
            classes=len(settings.class_names),
            image_size=settings.image_size,
            resize=settings.resize,
            quality=settings.quality,
        )
        results = pool.run(build_shard, workshop, tasks, workers)
        built = {
            shard.name: shard for shard in progress(results, total=len(tasks), what="sharding", unit="shard")
        }
    return {split: tuple(built[plan.name] for plan in plans if plan.split == split) for split in SPLITS}


if __name__ == "__main__":
    run_app(app, "python -m datapipeline.records.build_records")
