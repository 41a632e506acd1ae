"""`report.html`: what a data set holds, on one page that needs nothing else.

In: the manifest, its examples, the rejected, and the raw images for thumbnails. Out: HTML in UTF-8.
"""

import base64
from importlib.resources import files
from itertools import islice
from typing import Final, NamedTuple

from jinja2 import Environment, StrictUndefined

from contracts.dataset import SPLITS, Manifest, Rejected, Split
from datapipeline.records.raw import RawFolder
from imaging import decode, encode_jpeg, resize

REPORT: Final = "report.html"

THUMBNAIL: Final = 96
"""Pixels of the side; shown at half of that, for sharp screens."""

_THUMBNAILS: Final = 240
_PER_CLASS: Final = 10
_ROWS: Final = 200


def render(manifest: Manifest, raw: RawFolder) -> bytes:
    """Make the page."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = files("datapipeline.records").joinpath("report.html.j2").read_text("utf-8")
    sql = raw.table.sql
    page = environment.from_string(template).render(
        manifest=manifest,
        splits=SPLITS,
        totals={split: sum(manifest.counts[split].values()) for split in SPLITS},
        classes=_classes(manifest),
        most=max(row.total for row in _classes(manifest)),
        formats=sql.execute("SELECT format, COUNT(*) FROM image GROUP BY 1 ORDER BY 2 DESC").fetchall(),
        sizes=_sizes(raw),
        samples=_samples(manifest, raw),
        rejected=[Rejected(path=path, reason=reason) for path, reason in islice(raw.table.rejected(), _ROWS)],
        copies=manifest.duplicates,
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


def _sizes(raw: RawFolder) -> list[tuple[str, int, int, int]]:
    """Least, median and greatest of what is measured in pixels."""
    found = []
    for name, column in (("width", "width"), ("height", "height"), ("shorter side", "MIN(width, height)")):
        query = f"SELECT {column} FROM image ORDER BY 1"
        middle = f"{query} LIMIT 1 OFFSET (SELECT (COUNT(*) - 1) / 2 FROM image)"
        execute = raw.table.sql.execute
        numbers = (execute(f"{query} LIMIT 1"), execute(middle), execute(f"{query} DESC LIMIT 1"))
        found.append((name, *(cursor.fetchone()[0] for cursor in numbers)))
    return found


def _samples(manifest: Manifest, raw: RawFolder) -> list[tuple[str, list[tuple[str, str]]]]:
    """For each class a few images, as (path, data URI): by the order of their hashes, as good as drawn."""
    count = max(1, min(_PER_CLASS, _THUMBNAILS // len(manifest.class_names)))
    query = "SELECT path FROM image WHERE class_name = ? ORDER BY sha256, path LIMIT ?"
    return [
        (
            name,
            [(path, _thumbnail(raw.read(path))) for (path,) in raw.table.sql.execute(query, (name, count))],
        )
        for name in manifest.class_names
    ]


def _thumbnail(data: bytes) -> str:
    jpeg = encode_jpeg(resize(decode(data).image, THUMBNAIL, "crop"), 80)
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
