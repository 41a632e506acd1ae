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
    field_validator,
)

FROM_SCRATCH = "none"
IMAGENET = "imagenet"
ALL = "all"
"""`--gpu`: every one; `--fine-tune-from`: the first layer."""
HEAD_ONLY = "none"
"""`--fine-tune-from`: no fine-tuning."""

SMALLEST_ALPHA = 0.05
"""Below it TensorFlow's gamma distribution underflows, and every mixture is half and half."""


class TrainConfig(BaseModel):
    """What decides the numbers that come out. A run goes on only with the very config that it began with."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    epochs: PositiveInt = Field(default=8, description="Epochs; with --weights, of the fine-tuning.")
    batch_size: PositiveInt = Field(
        default=64, description="The global batch: images a step, over all devices and hosts together."
    )
    accumulate: PositiveInt = Field(
        default=1,
        description="Parts in which a device computes its share of a batch, one after the other: a large "
        "batch in less memory, with the same gradients.",
    )
    learning_rate: float | None = Field(
        default=None, gt=0, description="Highest rate; by default the architecture's."
    )
    reference_batch_size: int | None = Field(
        default=None,
        gt=0,
        description="Scale the learning rates by --batch-size over this. By default they are as given.",
    )
    weights: str = Field(
        default=FROM_SCRATCH,
        description="none: from scratch. imagenet: Keras' published weights. Else a path or URI of a .keras, "
        ".weights.h5 or published .h5 file, or of a bundle; its classes and image size may differ.",
    )
    head_epochs: NonNegativeInt = Field(
        default=20, description="With --weights: epochs of the new head alone, before the fine-tuning."
    )
    head_learning_rate: PositiveFloat = Field(default=2e-3, description="With --weights: the head's rate.")
    feature_views: PositiveInt = Field(
        default=1,
        description="With --weights: views of each training image that the frozen base sees, once each, "
        "before the head is trained on them in turn: the centre, then augmented ones.",
    )
    feature_precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="With --weights: what the frozen base computes in; auto: bfloat16 on CPUs that multiply "
        "it (avx512_bf16), else --precision.",
    )
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
        description="Pixels of the network's square input; by default the records', at most 224, and no less "
        "than the network needs. Smaller records are enlarged.",
    )
    optimizer: Literal["adam", "adamw", "sgd"] = Field(
        default="adam", description="sgd with --momentum, adamw with --weight-decay."
    )
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Of sgd.")
    weight_decay: NonNegativeFloat = Field(default=0.004, description="Of adamw.")
    schedule: Literal["cosine", "constant", "step"] = Field(
        default="cosine", description="What the rate does after the warm-up."
    )
    step_epochs: PositiveInt = Field(
        default=30, description="With --schedule step: epochs between two falls of the rate."
    )
    step_factor: float = Field(
        default=0.1, gt=0, lt=1, description="With --schedule step: what a fall multiplies the rate by."
    )
    warmup: float = Field(
        default=0.1, ge=0, lt=1, description="Share of a phase's steps over which the rate rises."
    )
    clip_norm: NonNegativeFloat = Field(
        default=1.0, description="Largest norm of a global batch's gradients, all together; 0: any."
    )
    ema: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Momentum of the weights' moving average, which is then judged and exported; 0: none. "
        "It lags by 1/(1-momentum) steps: 0.99 wants some hundreds.",
    )
    early_stopping: NonNegativeInt = Field(
        default=0,
        description="End a phase after so many epochs without a better accuracy on the validation split, or "
        "the same with a lower loss: what also chooses the epoch that is exported. 0: never.",
    )
    dropout: float = Field(default=0.2, ge=0, lt=1, description="Before the last layer.")
    label_smoothing: float = Field(
        default=0.0, ge=0, lt=1, description="Share of a label that is spread over all classes."
    )
    class_weights: Literal["none", "balanced"] = Field(
        default="none", description="balanced: a rare class's images count for more, each class as much."
    )
    flip: bool = Field(default=False, description="Mirror half of the training images left to right.")
    crop_scale: float = Field(
        default=0.8, gt=0, le=1, description="Smallest area of a random crop, as a share; 1: no crops."
    )
    color_jitter: float = Field(
        default=0.0, ge=0, le=1, description="Strength of random brightness, contrast and saturation."
    )
    rand_augment: float = Field(default=0.0, ge=0, le=1, description="RandAugment's magnitude; 0: none.")
    random_erasing: float = Field(
        default=0.0, ge=0, le=1, description="Share of the images in which a rectangle is erased."
    )
    mixup: NonNegativeFloat = Field(
        default=0.0, description="Alpha of mixing pairs of images, from 0.05; 0: none."
    )
    cutmix: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Alpha of pasting a part of another image, from 0.05; 0: none. With --mixup, one of the "
        "two.",
    )
    shuffle_buffer: PositiveInt = Field(
        default=16_384, description="Records (JPEGs, not pixels) among which the next one is chosen."
    )
    host_input: Literal["records", "files"] = Field(
        default="records",
        description="On several hosts. records: each reads every shard and decodes its part of each batch, "
        "so that the numbers don't depend on the hosts; files: each reads shards of its own.",
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

    @field_validator("mixup", "cutmix")
    @classmethod
    def _check_alpha(cls, alpha: float) -> float:
        if 0 < alpha < SMALLEST_ALPHA:
            raise ValueError(f"it should be 0, or {SMALLEST_ALPHA} and more")
        return alpha

    @property
    def from_scratch(self) -> bool:
        """Whether no weights are loaded."""
        return self.weights == FROM_SCRATCH


class Execution(BaseModel):
    """How a run is carried out, which may change when it goes on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gpu: str = Field(
        default="1",
        description="GPUs of this host to train on: a number, or all; 0: the CPU.",
    )
    replica_batch_size: int | None = Field(
        default=None,
        gt=0,
        description="Images a step on each device, in place of --batch-size: the global batch is this times "
        "the devices of all hosts.",
    )
    all_reduce: Literal["auto", "nccl", "hierarchical-copy"] = Field(
        default="auto", description="How several GPUs add their gradients up; auto: NCCL where it is there."
    )
    xla: bool = Field(default=False, description="Compile the network's passes with XLA.")
    steps_per_call: int | None = Field(
        default=None,
        gt=0,
        description="Steps that the device does without asking; by default 8, 1 on the CPU.",
    )
    save_every: PositiveFloat = Field(
        default=10.0, description="Minutes between two saved states, besides that of each epoch."
    )
    keep_checkpoints: int = Field(default=2, ge=1, description="Saved states that are kept, the newest.")
    export: bool = Field(
        default=True,
        description="Judge the best weights on the test split and export them; --no-export leaves that to "
        "the same command later.",
    )
    class_info: str | None = Field(
        default=None,
        description="A class_info.yaml, or its URI, with a short text and link for classes: it goes into the "
        "bundle, and the server's page shows it.",
    )
    cache: str | None = Field(
        default=None,
        description="Folder for what is read more than once: a bucket's shards, features that don't fit into "
        "memory. By default ~/.cache/chrysalis; on Google Cloud, buckets are read without it.",
    )
    label_error_images: NonNegativeInt = Field(
        default=20_000,
        description="Training images, at most, that are looked through for label errors in the end: one "
        "more pass over them. 0: only validation and test images, which are answered anyway.",
    )
    profile: NonNegativeInt = Field(
        default=0, description="Calls that are profiled for TensorBoard, from the second one on."
    )
    wandb: Literal["auto", "online", "offline", "off"] = Field(
        default="auto",
        description="Weights & Biases; auto: online with a key in WANDB_API_KEY, in the file that "
        "WANDB_API_KEY_FILE names, or in the secret that WANDB_API_KEY_SECRET names (projects/P/secrets/S/"
        "versions/V of Secret Manager), else offline, also where that can't be read.",
    )
    wandb_project: str = Field(default="chrysalis", description="Its project there.", min_length=1)

    @field_validator("gpu")
    @classmethod
    def _check_gpu(cls, gpu: str) -> str:
        if gpu != ALL and not (gpu.isascii() and gpu.isdigit()):
            raise ValueError(f"it should be a number of GPUs, or {ALL}")
        return gpu
