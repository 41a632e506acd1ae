"""Which side of the split an image is on: a function of its content's hash and the seed, within its class.

An image keeps its side when others are added or removed, and copies of one content are on one side. That wins
over exact proportions: each image falls by itself, as a die does. Only where a class would have nothing on a
side does it lend that side its nearest image.
"""

import hashlib
from collections.abc import Collection
from itertools import accumulate
from typing import Final

from contracts.dataset import SPLITS, Split

FEWEST: Final = len(SPLITS)
"""Different images that a class needs: one for each side."""

Fractions = tuple[float, float, float]


def split_class(
    contents: Collection[str], shared: Collection[str], fractions: Fractions, seed: int
) -> dict[str, Split]:
    """Give every content of one class its side; none stays empty.

    Args:
        contents: sha256 of each image of the class, hexadecimal.
        shared: contents that other classes have too: these are never lent, so that they stay on one side
            everywhere.
        fractions: of train, val and test; each above 0, together 1.
        seed: another seed, another split.

    Raises:
        ValueError: fewer than `FEWEST` contents are the class's own.
    """
    positions = {content: position(content, seed) for content in sorted(set(contents))}
    own = set(positions) - set(shared)
    if len(own) < FEWEST:
        raise ValueError(f"expected at least {FEWEST} contents of its own, got {len(own)}")
    ends = [*accumulate(fractions[:-1]), 1.0]
    sides = {
        content: next(split for split, end in zip(SPLITS, ends, strict=True) if place < end)
        for content, place in positions.items()
    }
    for split, start, end in zip(SPLITS, [0.0, *ends], ends, strict=False):
        if split not in sides.values():
            sides[_nearest(positions, own, sides, (start, end))] = split
    return sides


def position(content: str, seed: int) -> float:
    """Where a content falls in [0, 1)."""
    number = int.from_bytes(hashlib.sha256(f"{seed}:{content}".encode()).digest()[:6])
    return number / 2**48  # 48 bits: exact in a float, and so below 1


def _nearest(
    positions: dict[str, float], own: set[str], sides: dict[str, Split], interval: tuple[float, float]
) -> str:
    """The content whose position is nearest to an interval, of a side that can spare one."""
    start, end = interval
    counts = {split: list(sides.values()).count(split) for split in SPLITS}
    spare = [content for content in sorted(own) if counts[sides[content]] > 1]
    return min(spare, key=lambda content: max(start - positions[content], positions[content] - end))
