"""`report.html`: what a data set holds, on one page that needs nothing else.

In: the manifest, its examples, the rejected, and the raw images for thumbnails. Out: HTML in UTF-8.
"""

import base64
import statistics
from collections import Counter, defaultdict
from importlib.resources import files
from typing import Final, NamedTuple

from jinja2 import Environment, StrictUndefined

from contracts.dataset import SPLITS, Example, Manifest, Rejected, Split
from datapipeline.records.raw import RawFolder
from imaging import decode, encode_jpeg, resize

REPORT: Final = "report.html"

THUMBNAIL: Final = 96
"""Pixels of the side; shown at half of that, for sharp screens."""

_THUMBNAILS: Final = 240
_PER_CLASS: Final = 10
_ROWS: Final = 200


def render(manifest: Manifest, examples: list[Example], rejected: list[Rejected], raw: RawFolder) -> bytes:
    """Make the page."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = files("datapipeline.records").joinpath("report.html.j2").read_text("utf-8")
    page = environment.from_string(template).render(
        manifest=manifest,
        splits=SPLITS,
        totals={split: sum(manifest.counts[split].values()) for split in SPLITS},
        classes=_classes(manifest),
        most=max(row.total for row in _classes(manifest)),
        formats=Counter(row.format for row in examples).most_common(),
        sizes=_sizes(examples),
        samples=_samples(examples, raw),
        rejected=rejected[:_ROWS],
        copies=len(examples) - len({row.sha256 for row in examples}),
    )
    return page.encode()


class _Class(NamedTuple):
    name: str
    counts: dict[Split, int]
    total: int


def _classes(manifest: Manifest) -> list[_Class]:
    counted = [
        (name, {split: manifest.counts[split][name] for split in SPLITS}) for name in manifest.class_names
    ]
    return [_Class(name, counts, sum(counts.values())) for name, counts in counted]


def _sizes(examples: list[Example]) -> list[tuple[str, int, int, int]]:
    """Least, median and greatest of what is measured in pixels."""
    measured = {
        "width": [row.width for row in examples],
        "height": [row.height for row in examples],
        "shorter side": [min(row.width, row.height) for row in examples],
    }
    return [(name, min(them), statistics.median_low(them), max(them)) for name, them in measured.items()]


def _samples(examples: list[Example], raw: RawFolder) -> list[tuple[str, list[tuple[str, str]]]]:
    """For each class a few images, as (path, data URI): by the order of their hashes, as good as drawn."""
    by_class: dict[str, list[Example]] = defaultdict(list)
    for row in sorted(examples, key=lambda row: (row.class_name, row.sha256)):
        by_class[row.class_name].append(row)
    count = max(1, min(_PER_CLASS, _THUMBNAILS // len(by_class)))
    return [
        (name, [(row.path, _thumbnail(raw.read(row.path))) for row in rows[:count]])
        for name, rows in by_class.items()
    ]


def _thumbnail(data: bytes) -> str:
    jpeg = encode_jpeg(resize(decode(data).image, THUMBNAIL, "crop"), 80)
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
