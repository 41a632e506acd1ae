"""The page, put together from its sections."""

import sqlite3
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from contracts.dataset import SPLITS, Manifest
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
    archive = _only_archive(sql)
    page = _environment(f"{archive}{IN_ARCHIVE}").get_template("report.html.j2")
    return page.render(
        archive=archive,
        manifest=manifest,
        splits=SPLITS,
        totals={split: sum(manifest.counts[split].values()) for split in SPLITS},
        classes=classes,
        findings=findings.findings(manifest, classes, odd, rejected, sizes),
        sheet=sheet,
        conflicts=conflicts,
        duplicates=duplicates,
        odd=odd,
        rejected=rejected,
        sizes=sizes,
        thumbnails=thumbnails(raw, [picture.path for picture in pictures]),
    ).encode()


def _only_archive(sql: sqlite3.Connection) -> str:
    """The archive that holds every image, whose name is no news on the page; empty: there is none."""
    archives, name, members, images = sql.execute(
        "SELECT COUNT(DISTINCT file), MIN(file), COUNT(member), COUNT(*) FROM image"
    ).fetchone()
    return str(name) if archives == 1 and members == images else ""


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
        "inner": lambda path: shown(path.removeprefix(prefix)),
        "number": "{:,}".format,
        "measure": lambda value: f"{value:,.0f}" if value >= 100 else f"{value:.3g}",
        "ratio": balance.ratio,
    }
    return environment
