"""What a training run can be told: frozen, typed, and an unknown key is an error.

Every field is a command-line option of the same name (`models.trainer.cli`); its description is the help.
"""

from typing import Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
)

FROM_SCRATCH = "none"
IMAGENET = "imagenet"


class TrainConfig(BaseModel):
    """What decides the numbers that come out. A run goes on only with the very config that it began with."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    epochs: PositiveInt = Field(default=8, description="Epochs; with --weights, of the fine-tuning.")
    batch_size: PositiveInt = Field(default=64, description="Images a step, over all devices together.")
    learning_rate: PositiveFloat = Field(default=2e-4, description="Highest rate.")
    weights: str = Field(
        default=FROM_SCRATCH,
        description="none: from scratch. imagenet: Keras' published weights. Else a path or URI of a .keras, "
        ".weights.h5 or published notop .h5 file, or of a bundle; its classes and image size may differ.",
    )
    head_epochs: NonNegativeInt = Field(
        default=20, description="With --weights: epochs of the new head alone, before the fine-tuning."
    )
    head_learning_rate: PositiveFloat = Field(default=2e-3, description="With --weights: the head's rate.")
    fine_tune_from: str | None = Field(
        default=None,
        description="With --weights: the first layer, or start of its name, that the fine-tuning changes; "
        "all, or none for the head alone. By default the architecture's last block.",
    )
    fine_tune_factor: PositiveFloat = Field(
        default=0.1, description="With --weights: the fine-tuning's rate is this times --learning-rate."
    )
    image_size: int | None = Field(
        default=None,
        gt=0,
        description="Pixels of the network's square input; by default the records', at most 224.",
    )
    optimizer: Literal["adam", "sgd"] = Field(default="adam", description="sgd has a momentum of 0.9.")
    schedule: Literal["cosine", "constant"] = Field(
        default="cosine", description="What the rate does after the warm-up."
    )
    warmup: float = Field(
        default=0.1, ge=0, lt=1, description="Share of the steps over which the rate rises."
    )
    clip_norm: NonNegativeFloat = Field(
        default=1.0, description="Largest global norm of the gradients; 0: any."
    )
    dropout: float = Field(default=0.2, ge=0, lt=1, description="Before the last layer.")
    flip: bool = Field(default=False, description="Mirror half of the training images left to right.")
    crop_scale: float = Field(
        default=0.8, gt=0, le=1, description="Smallest area of a random crop, as a share; 1: no crops."
    )
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        default="float32", description="What layers compute in; weights are float32."
    )
    seed: int = Field(
        default=0,
        ge=0,
        lt=2**32,  # NumPy takes no more
        description="Of the weights, the order and the augmentation.",
    )

    @property
    def from_scratch(self) -> bool:
        """Whether no weights are loaded."""
        return self.weights == FROM_SCRATCH


class Execution(BaseModel):
    """How a run is carried out, which may change when it goes on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gpu: NonNegativeInt = Field(default=1, description="GPUs to train on; 0: the CPU.")
    steps_per_call: int | None = Field(
        default=None,
        gt=0,
        description="Steps that the device does without asking; by default 8, 1 on the CPU.",
    )
    wandb: Literal["auto", "online", "offline", "off"] = Field(
        default="auto",
        description="Weights & Biases; auto: online with a key in WANDB_API_KEY, or in the file that "
        "WANDB_API_KEY_FILE names, else offline.",
    )
    wandb_project: str = Field(default="chrysalis", description="Its project there.", min_length=1)
