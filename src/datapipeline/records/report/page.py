"""The page, put together from its sections."""

import os
import sqlite3
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from contracts.dataset import SPLITS, Manifest, Source
from datapipeline.records.raw import IN_ARCHIVE, RawFolder
from datapipeline.records.report import alike, balance, findings, outliers, refused, samples, shapes
from datapipeline.records.report.names import shown
from datapipeline.records.report.numbers import add_functions
from datapipeline.records.report.thumbnails import thumbnails

REPORT: Final = "report.html"


def render(manifest: Manifest, raw: RawFolder) -> bytes:
    """Make the page.

    Args:
        manifest: of the data set; its counts are taken, not counted again.
        raw: whose table has every image described, in its cluster and on its side of the split.
    """
    sql = raw.table.sql
    add_functions(sql)
    classes = balance.balance(manifest)
    sheet = samples.samples(sql, manifest)
    conflicts = alike.conflicts(sql)
    duplicates = alike.duplicates(sql)
    odd = outliers.outliers(sql)
    rejected = refused.refused(sql)
    sizes = shapes.shapes(sql, manifest)
    pictures = [*sheet.pictures(), *conflicts.pictures(), *duplicates.pictures(), *odd.pictures()]
    source = Source.read_if_there(raw.uri)
    same = alike.together(conflicts, duplicates)
    prefix = _common_folder(sql)
    page = _environment(prefix).get_template("report.html.j2")
    return page.render(
        prefix=prefix,
        origins=source.origins if source else (),
        manifest=manifest,
        splits=SPLITS,
        totals={split: manifest.images_in(split) for split in SPLITS},
        classes=classes,
        findings=findings.findings(manifest, classes, same, odd, rejected, sizes),
        sheet=sheet,
        conflicts=conflicts,
        duplicates=duplicates,
        same=same,
        odd=odd,
        rejected=rejected,
        sizes=sizes,
        thumbnails=thumbnails(raw, [picture.path for picture in pictures]),
    ).encode()


def _common_folder(sql: sqlite3.Connection) -> str:
    """How every image's path begins, up to a folder or an archive: it is no news on the page."""
    ends = sql.execute("SELECT MIN(path), MAX(path) FROM image").fetchone()
    common: str = os.path.commonprefix(ends)  # noqa: RUF071 - cut at a folder below
    return common[
        : max((common.rfind(end) + len(end) for end in ("/", IN_ARCHIVE) if end in common), default=0)
    ]


def _breakable(path: str) -> Markup:
    """A path whose lines may break after its slashes."""
    return escape(path).replace("/", Markup("/<wbr>"))


def _environment(prefix: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "shown": shown,
        "inner": lambda path: _breakable(shown(path.removeprefix(prefix))),
        "breakable": lambda path: _breakable(shown(path)),
        "number": "{:,}".format,
        "measure": lambda value: f"{value:,.0f}" if value >= 100 else f"{value:.3g}",
        "ratio": balance.ratio,
    }
    return environment
