"""What the data stages hand on: where a data set came from, which images it holds, and its shards."""

import re
from typing import ClassVar, Literal, Self

from pydantic import AwareDatetime, Field, NonNegativeInt, PositiveInt, model_validator

from contracts.documents import Document, Part

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

ResizeMode = Literal["shorter-side", "crop", "pad", "stretch"]


class SourceFile(Part):
    """One file of a raw data set."""

    name: str = Field(description="relative to the folder, with forward slashes")
    bytes: NonNegativeInt
    crc32c: str = Field(description="base64 of the big-endian checksum, as Cloud Storage gives it")
    sha256: str | None = Field(default=None, description="hexadecimal, where it came over http or was stated")


class SourceOrigin(Part):
    """One place that files of a raw data set came from, and those files."""

    uri: str
    licence: str | None = None
    citation: str | None = None
    fetched_at: AwareDatetime = Field(description="when the fetching began")
    folder: str = Field(default="", description="below the raw folder, that the files are in; empty: itself")
    files: tuple[SourceFile, ...] = Field(min_length=1)


class Source(Document):
    """`raw/<dataset>/source.json`: where the files came from, and what they are."""

    file_name: ClassVar[str] = "source.json"
    unfinished_name: ClassVar[str] = ".source.json.partial"
    """What stands in its place while the folder is being filled."""
    made_by: ClassVar[str] = "python -m datapipeline.download.dataloader"
    current_version: ClassVar[int] = 2

    schema_version: int = Field(default=2)
    dataset: str
    origins: tuple[SourceOrigin, ...] = Field(min_length=1)

    @property
    def files(self) -> tuple[SourceFile, ...]:
        """The files of every origin, sorted by name."""
        return tuple(
            sorted((file for origin in self.origins for file in origin.files), key=lambda file: file.name)
        )


class Example(Part):
    """One image of a data set: a row of `{train,val,test}.csv`, whose columns are these fields in order."""

    path: str = Field(description="inside the raw folder; `archive.zip::member` for a member of an archive")
    label: NonNegativeInt
    class_name: str
    split: Split
    sha256: str = Field(description="of the file's bytes, hexadecimal")
    width: PositiveInt = Field(description="pixels, upright")
    height: PositiveInt = Field(description="pixels, upright")
    format: str = Field(description="as Pillow names it: JPEG, PNG, …")


class Rejected(Part):
    """One file that isn't used: a row of `rejected.csv`."""

    path: str
    reason: str


class Manifest(Document):
    """`interim/<dataset>/manifest.json`: the classes, the splits, and what they were made from."""

    file_name: ClassVar[str] = "manifest.json"
    made_by: ClassVar[str] = "python -m datapipeline.records.process"

    dataset: str
    raw: str = Field(description="the raw folder; a relative one counts from the manifest's own folder")
    source_digest: str = Field(description="sha256 over the raw files' names and checksums")
    class_names: tuple[str, ...] = Field(min_length=2, description="sorted; the index is the label")
    counts: dict[Split, dict[str, NonNegativeInt]] = Field(description="images for each split and class")
    different: dict[str, NonNegativeInt] = Field(
        description="for each class the images that are its own: no copies of each other, nor another class's"
    )
    duplicates: NonNegativeInt = Field(description="images that look the same as another one that is kept")
    conflicts: NonNegativeInt = Field(description="groups of images that look the same in several classes")
    rejected: NonNegativeInt
    median_shorter_side: PositiveInt = Field(description="pixels; the default size of records follows it")
    digest: str = Field(description="sha256 over every example's path, label, split and sha256")
    seed: int
    fractions: tuple[float, float, float] = Field(description="asked for: train, val, test")
    keep_split: bool = Field(description="whether folders called train, val and test gave the sides")
    near_duplicates: Literal["group", "drop", "ignore"]
    small_classes: Literal["refuse", "reject"]
    min_side: PositiveInt = Field(description="pixels of the shorter side that an image must have")
    animated: Literal["first", "reject"] = Field(description="what was done with animations")

    @model_validator(mode="after")
    def _check_counts(self) -> Self:
        names = set(self.class_names)
        if len(names) < len(self.class_names) or self.counts.keys() != {*SPLITS}:
            raise ValueError("expected class names that differ, and counts of train, val and test")
        if not all(counts.keys() == names and sum(counts.values()) for counts in self.counts.values()):
            raise ValueError("expected for each split the counts of every class, not all 0")
        return self

    @property
    def images(self) -> int:
        """How many images the data set holds."""
        return sum(self.images_in(split) for split in SPLITS)

    def images_in(self, split: Split) -> int:
        """How many images a split holds."""
        return sum(self.counts[split].values())


class Shard(Part):
    """One TFRecord file."""

    name: str
    examples: PositiveInt
    bytes: PositiveInt
    crc32c: str = Field(description="of the whole file; base64 of the big-endian checksum")
    class_histogram: tuple[NonNegativeInt, ...] = Field(description="examples for each label")


class ShardIndex(Document):
    """`processed/<dataset>/index.json`: the shards, and how their images were made."""

    file_name: ClassVar[str] = "index.json"
    made_by: ClassVar[str] = "python -m datapipeline.records.build_records"

    dataset: str
    manifest_digest: str
    class_names: tuple[str, ...]
    image_size: PositiveInt = Field(description="pixels; of the shorter side or of the square")
    resize: ResizeMode
    quality: PositiveInt = Field(le=100, description="of the JPEGs")
    augment_minority: NonNegativeInt = Field(
        default=0, description="images that a class in train was filled up to, with augmented copies"
    )
    seed: int
    shards: dict[Split, tuple[Shard, ...]]

    @model_validator(mode="after")
    def _check_splits(self) -> Self:
        if self.shards.keys() != {*SPLITS} or not all(self.shards.values()):
            raise ValueError("expected shards of train, val and test")
        for split, shards in self.shards.items():
            for shard in shards:
                if len(shard.class_histogram) != len(self.class_names):
                    raise ValueError(f"expected for {shard.name} a number of examples for each class")
                if not re.fullmatch(rf"{split}-\d{{5}}-of-\d{{5}}\.tfrecord", shard.name):
                    raise ValueError(f"expected a shard of {split}, got {shard.name}")
        return self

    def examples(self, split: Split) -> int:
        """How many images a split holds."""
        return sum(shard.examples for shard in self.shards[split])
