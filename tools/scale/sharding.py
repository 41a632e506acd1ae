"""`build_records` on Dataflow, simulated shard by shard.

Every core of every worker takes the next shard when it is free. A shard takes its images over the core's
measured rate, times a factor of the measured spread; some straggle. Workers come one after another, and what
all read together is held to the bucket's rate, which grows.
"""

from dataclasses import dataclass
from typing import Final

from datapipeline.records.plan import count_shards
from tools.scale.assumptions import BUCKET_DOUBLES, BUCKET_READS, STRAGGLERS, WORKER_START
from tools.scale.measured import Measured

CORES: Final = 4
"""Of a worker (n2-standard-4)."""
IMAGE_SIZE: Final = 224
SHARD_MB: Final = 128
STRAGGLING: Final = 3.0
START_SPREAD_S: Final = 30.0
STEP_S: Final = 2.0


@dataclass(frozen=True)
class Sharding:
    """How long a data set takes with so many workers."""

    images: int
    shards: int
    shard_mb: float
    workers: int
    seconds: float
    worker_hours: float
    idle: float
    """Share of the cores' time behind the start in which they had nothing left to do."""
    reads: float
    """Images a second that the workers would read if the bucket gave them."""
    waited: float
    """Share of the work's time that was waiting for the bucket."""


def images_of(size: float, figures: Measured) -> int:
    """How many photos `size` bytes are."""
    return max(1, round(size / (figures.photo_kb * 1000)))


def shards_of(images: int) -> int:
    """How many shards `build_records` makes of them, at 224x224."""
    return count_shards(images, IMAGE_SIZE, "crop", SHARD_MB)


def core_rate(figures: Measured) -> float:
    """Images a second of one core that asks the bucket for each."""
    return 1 / (1 / figures.shard_rate + figures.request_s)


def simulate(size: float, workers: int, figures: Measured, seed: int = 0) -> Sharding:
    """Shard `size` bytes of photos with so many workers, in steps of `STEP_S`."""
    import numpy as np

    chance = np.random.default_rng(seed)
    images = images_of(size, figures)
    shards = shards_of(images)
    rate = core_rate(figures)
    work = images / shards / rate * np.exp(chance.normal(0, figures.shard_spread, shards))
    work = np.where(chance.random(shards) < STRAGGLERS.value, STRAGGLING, 1) * work
    starts = np.maximum(60, chance.normal(WORKER_START.value * 60, START_SPREAD_S, workers)).repeat(CORES)
    left = np.zeros(len(starts))  # of each core's shard: seconds of work; below 0, what it did of the next
    taken, now, busy_s = 0, float(starts.min()), 0.0
    while taken < shards or (left > 0).any():
        idle = np.flatnonzero((left <= 0) & (starts <= now))[: shards - taken]
        left[idle] += work[taken : taken + len(idle)]
        taken += len(idle)
        busy = int((left > 0).sum())
        given = min(1.0, bucket_rate(now) / (busy * rate)) if busy else 0.0
        left -= STEP_S * given * (left > 0)
        busy_s += busy * STEP_S
        now += STEP_S
    return Sharding(
        images=images,
        shards=shards,
        shard_mb=images / shards * figures.record_kb / 1000,
        workers=workers,
        seconds=now,
        worker_hours=workers * now / 3600,
        idle=max(0.0, 1 - busy_s / float((now - np.minimum(starts, now)).sum())),
        reads=workers * CORES * rate,
        waited=max(0.0, 1 - float(work.sum()) / busy_s),
    )


def bucket_rate(seconds: float) -> float:
    """Reads a second that a bucket gives after so long under load."""
    return BUCKET_READS.value * 2 ** (seconds / 60 / BUCKET_DOUBLES.value)


def process_seconds(images: int, cores: int, figures: Measured) -> float:
    """How long `process` takes, which is one machine's work: its cores' rate or the bucket's, as it grows."""
    rate = 1 / (1 / figures.process_rate + figures.request_s) * cores
    left, now = float(images), 0.0
    while left > 0:
        given = min(rate, bucket_rate(now))
        step = min(10.0, left / given)
        left, now = left - given * step, now + step
    return now
