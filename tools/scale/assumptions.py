"""What isn't measured here: each with where it is from. They bound the answers more than the model does."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Assumption:
    """A figure of somebody else's."""

    what: str
    value: float
    unit: str
    source: str


BUCKET_READS: Final = Assumption(
    "reads a second that a bucket begins with",
    5000,
    "1/s",
    "https://cloud.google.com/storage/docs/request-rate",
)
BUCKET_DOUBLES: Final = Assumption(
    "time in which that rate may double", 20, "min", "https://cloud.google.com/storage/docs/request-rate"
)
WORKER_START: Final = Assumption(
    "a Dataflow worker or a replica's machine, from asking to work (median; half a minute more or less)",
    3,
    "min",
    "ours: a machine's start and the pull of an image; no source",
)
STRAGGLERS: Final = Assumption(
    "share of shards that take three times as long", 0.01, "", "ours: a busy neighbour; no source"
)
WORKER_GBIT: Final = Assumption(
    "network of an n2-standard-4", 10, "Gbit/s", "https://cloud.google.com/compute/docs/network-bandwidth"
)
VGG16_GFLOP: Final = Assumption(
    "VGG16 at 224x224, forward; a step of training is three times that",
    31,
    "GFLOP",
    "https://arxiv.org/abs/1605.07678 (15.5 G multiply-adds)",
)
UTILIZATION: Final = Assumption(
    "what VGG16 reaches of a GPU's half-precision peak: 64 images forward in 60.2 ms on a V100 (125 TFLOP/s)",
    0.26,
    "",
    "https://github.com/PaddlePaddle/Paddle: float16_benchmark.md",
)
CPU_TARGET: Final = Assumption(
    "CPU that Vertex AI's autoscaling aims at",
    0.6,
    "",
    "https://cloud.google.com/vertex-ai/docs/reference/rest/v1/DedicatedResources",
)
AUTOSCALE_EVERY: Final = Assumption("time between two of its looks", 15, "s", "ours; no source")
LISTED: Final = (
    *(BUCKET_READS, BUCKET_DOUBLES, WORKER_START, STRAGGLERS, WORKER_GBIT, VGG16_GFLOP),
    *(UTILIZATION, CPU_TARGET, AUTOSCALE_EVERY),
)


@dataclass(frozen=True)
class Host:
    """A training machine: its GPUs, their half-precision peak without sparsity, cores and network."""

    name: str
    gpus: int
    tflops: float
    cores: int
    gbit: float


HOSTS: Final = (
    Host("n1-standard-32, 4 T4", 4, 65, 32, 32),
    Host("g2-standard-96, 8 L4", 8, 121, 96, 100),
    Host("a2-highgpu-8g, 8 A100", 8, 312, 96, 100),
)
HOSTS_SOURCE: Final = (
    "NVIDIA's data sheets, and https://cloud.google.com/compute/docs/gpus/gpu-network-bandwidth"
)
