"""Training on several hosts: a step is the network's arithmetic and then the sum of the gradients.

The sum is a ring over the hosts: each sends and receives 2 (n - 1) / n times the gradients' bytes. Nothing
overlaps here, which is the worst case; with everything overlapped the step is as long as the longer part.
"""

from dataclasses import dataclass
from typing import Final

from tools.scale.assumptions import UTILIZATION, VGG16_GFLOP, Host
from tools.scale.measured import Measured

BATCH_A_GPU: Final = 64
BYTES: Final = 4
"""Of a gradient: float32, in mixed precision too."""
PARAMETERS: Final = 14_714_688
"""Of VGG16's convolutions; its head here is small beside them."""
OF_THE_PAPER: Final = 138_357_544
"""With the three dense layers that the paper's network ends in."""


@dataclass(frozen=True)
class Training:
    """One epoch on so many hosts."""

    hosts: int
    gpus: int
    batch: int
    step_ms: float
    reduce_ms: float
    efficiency: float
    """Of so many GPUs without any exchange."""
    images_a_second: float
    input_share: float
    """Of the hosts' cores that decoding and augmenting take."""
    hours: float


def gpu_rate(host: Host) -> float:
    """Images a second that one GPU trains on."""
    return host.tflops * 1000 * UTILIZATION.value / (3 * VGG16_GFLOP.value)


def train(images: int, host: Host, hosts: int, parameters: int, figures: Measured) -> Training:
    """One epoch of `images` on `hosts` machines."""
    step = BATCH_A_GPU / gpu_rate(host)
    reduce = 2 * (hosts - 1) / hosts * parameters * BYTES * 8 / (host.gbit * 1e9)
    batch = BATCH_A_GPU * host.gpus * hosts
    rate = batch / (step + reduce)
    return Training(
        hosts=hosts,
        gpus=host.gpus * hosts,
        batch=batch,
        step_ms=step * 1000,
        reduce_ms=reduce * 1000,
        efficiency=step / (step + reduce),
        images_a_second=rate,
        input_share=rate / hosts / figures.input_rate / host.cores,
        hours=images / rate / 3600,
    )
