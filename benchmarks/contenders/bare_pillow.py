"""The limit: two forked processes that open, crop, resize and encode with Pillow, and append to a file each.

Pillow as it comes: default allocator, one image after another. No index, no checks, no shards.

    python bare_pillow.py LISTING OUTPUT --size 224 --quality 90 --workers 2
"""

import argparse
import os
import sys
from pathlib import Path

from PIL import Image


def main() -> None:
    """Shard a listing's images."""
    parser = argparse.ArgumentParser()
    parser.add_argument("listing", type=Path, help="lines of `file<TAB>class name`")
    parser.add_argument("output", type=Path)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--quality", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    given = parser.parse_args()
    files = [line.split("\t")[0] for line in given.listing.read_text().splitlines()]
    given.output.mkdir(parents=True)
    children = []
    for worker in range(given.workers):
        child = os.fork()
        if child == 0:
            target = given.output / f"{worker}.jpegs"
            write(files[worker :: given.workers], target, given.size, given.quality)
            os._exit(0)
        children.append(child)
    sys.exit(max(os.waitpid(child, 0)[1] for child in children) and 1)


def write(files: list[str], target: Path, size: int, quality: int) -> None:
    """Append the centre square of every image, resized and encoded, to a file."""
    with target.open("wb") as output:
        for file in files:
            with Image.open(file) as image:
                rgb = image.convert("RGB")
            side = min(rgb.size)
            left, top = (rgb.width - side) // 2, (rgb.height - side) // 2
            box = (left, top, left + side, top + side)
            resized = rgb.resize((size, size), Image.Resampling.BILINEAR, box=box)
            resized.save(output, "JPEG", quality=quality)


if __name__ == "__main__":
    main()
