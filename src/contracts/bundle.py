"""What the trainer hands to whoever serves or judges a model: a folder that `bundle.json` finishes."""

from typing import Any, ClassVar, Literal

from pydantic import AwareDatetime, Field, NonNegativeInt, PositiveInt

from contracts.dataset import ResizeMode
from contracts.documents import Document, Part

SAVED_MODEL = "saved_model"
KERAS_MODEL = "model.keras"
LITERT_MODEL = "model.tflite"
LABELS = "labels.csv"
MODEL_CARD = "model_card.md"
REPORT = "report"
"""The names inside a bundle; `report/` holds report.html, metrics.json and what they show."""


class ImageSpec(Part):
    """How encoded bytes become the network's input, uint8 RGB of [size, size, 3] in 0…255.

    The image is decoded upright, resized to `record_size` by `resize`, as the records were, and its centre
    square of `size` is taken. Colour order, scaling and mean subtraction are part of the network's graph.
    `imaging.prepare` does it.
    """

    size: PositiveInt = Field(description="pixels; the side of the network's square input")
    record_size: PositiveInt = Field(description="pixels; the size the records were resized to")
    resize: ResizeMode
    colour_order: Literal["RGB"] = "RGB"
    value_range: tuple[int, int] = (0, 255)


class BundleFile(Part):
    """One file of the bundle."""

    bytes: NonNegativeInt
    sha256: str


class LiteRT(Part):
    """How `model.tflite` was made, and how far it agrees with the float network."""

    quantization: Literal["int8-dynamic-range", "float16"]
    agreement: float = Field(ge=0, le=1, description="share of validation images with the same top class")
    examples: PositiveInt = Field(description="validation images compared")


class Golden(Part):
    """An image of the bundle with the probabilities that `model.tflite` must give for it."""

    file: str
    probabilities: tuple[float, ...]


class Verdict(Part):
    """What the gate said."""

    blessed: bool
    reasons: tuple[str, ...]


class ModelBundle(Document):
    """`models/<dataset>/<run-id>/bundle.json`."""

    file_name: ClassVar[str] = "bundle.json"
    made_by: ClassVar[str] = "python -m models.<arch>.train_multi_gpu"

    name: str = Field(description="the run's id: the folder's name")
    architecture: str
    dataset: str
    dataset_digest: str
    created_at: AwareDatetime
    class_names: tuple[str, ...] = Field(min_length=2, description="the index is the label")
    image: ImageSpec
    litert: LiteRT
    golden: tuple[Golden, ...] = Field(min_length=1)
    golden_tolerance: float = Field(description="largest difference of a probability at the replay")
    metrics: dict[str, float] = Field(description="of the test split")
    gate: Verdict | None = Field(default=None, description="None: not judged")
    config: dict[str, Any] = Field(description="the run's whole configuration")
    git_commit: str | None
    packages: dict[str, str]
    wandb_run: str | None = Field(description="the run's id, or None where W&B was off")
    files: dict[str, BundleFile] = Field(description="every file but this one")
