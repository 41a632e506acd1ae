"""Which example goes into which shard: decided once, before anything is built, by the seed alone.

The same examples and settings give the same plan on every machine, whatever its number of processes.
"""

import hashlib
import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from contracts.dataset import SPLITS, Example, ResizeMode, Split
from contracts.records import shard_name

EXAMPLES_FOR_A_SHARD: Final = 256
SHARDS_FOR_A_START: Final = 16
"""Where the bytes alone would give fewer shards, there is one for every 256 images, up to 16: so that several
processes have work, and a reader can mix several files."""

_BYTES_A_PIXEL: Final = 0.35
"""Of a photo as a JPEG of quality 90; a guess, for the number of shards only."""
_ASPECT: Final = 4 / 3


class ShardPlan(NamedTuple):
    """One shard to build."""

    name: str
    split: Split
    examples: tuple[Example, ...]
    """In the order in which they stand in it."""


def count_shards(examples: int, image_size: int, resize: ResizeMode, shard_mb: int) -> int:
    """How many shards a split has by default: of about `shard_mb` MiB, but see `SHARDS_FOR_A_START`."""
    pixels = image_size**2 * (_ASPECT if resize == "shorter-side" else 1)
    by_bytes = math.ceil(examples * pixels * _BYTES_A_PIXEL / (shard_mb << 20))
    to_start = min(SHARDS_FOR_A_START, math.ceil(examples / EXAMPLES_FOR_A_SHARD))
    return max(1, min(examples, max(by_bytes, to_start)))


def plan_shards(examples: Sequence[Example], counts: dict[Split, int], seed: int) -> list[ShardPlan]:
    """Deal every split's examples, shuffled, to its shards; these differ by one example at most.

    Args:
        examples: of all splits, in any order.
        counts: shards for each split; as many as examples where these are fewer: none is empty.
        seed: another seed, another order.
    """
    plans = []
    for split in SPLITS:
        shuffled = sorted((row for row in examples if row.split == split), key=lambda row: _key(row, seed))
        count = min(counts[split], len(shuffled))
        plans += [
            ShardPlan(shard_name(split, index, count), split, tuple(shuffled[index::count]))
            for index in range(count)
        ]
    return plans


def _key(example: Example, seed: int) -> tuple[bytes, str]:
    # A hash rather than random.shuffle: Python's generator may change what it gives for a seed.
    return hashlib.sha256(f"{seed}:{example.path}".encode()).digest(), example.path
