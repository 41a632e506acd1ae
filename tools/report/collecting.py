"""Gathers the reports under a root, and the benchmarks, into a folder of pages that `index.html` leads to.

Pages keep the names that they have under the root, with what they link to beside them, so their links hold.
"""

import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from contracts import storage
from tools.report.finding import FoundDataset, Listing, find
from tools.report.index import index_page
from tools.report.linked import linked
from tools.report.pages import Link, document_page, rendered_name
from tools.report.publishing import INDEX, publish

BENCHMARKS, NOTEBOOKS = "benchmarks", "notebooks"
"""Folders of the output: the first holds Markdown that is kept, the second pages of executed notebooks."""


class Collected(NamedTuple):
    """What was done."""

    datasets: list[FoundDataset]
    pages: int
    removed: int


def collect(root: str, output: str, wanted: Collection[str] = ()) -> Collected:
    """Fill `output` with the reports of the data sets under a root, or of the wanted ones.

    Raises:
        InputError: there is nothing to report.
    """
    datasets, files = find(root, wanted)
    with tempfile.TemporaryDirectory(prefix="chrysalis-reports-") as folder:
        copy_pages(files, [page for dataset in datasets for page in dataset.pages], Path(folder))
        _lead_back(Path(folder))
        for dataset in datasets:
            _render_cards(dataset, Path(folder))
        benchmarks = _benchmarks(output, Path(folder))
        page = index_page(root, datasets, benchmarks, _notebooks(output))
        Path(folder, INDEX).write_text(page, encoding="utf-8")
        names = [file.name for file in storage.list_files(folder)]
        return Collected(datasets, len(names), publish(Path(folder), names, output))


def copy_pages(files: Listing, pages: Sequence[str], folder: Path) -> None:
    """Copy pages, and what they link to, from under a root to a local folder, under the same names."""
    storage.download_many(files.root, pages, folder)
    beside = set[str]()
    for page in pages:
        if page.endswith(".html"):
            beside |= linked((folder / page).read_text(encoding="utf-8", errors="replace"), page)
    storage.download_many(files.root, sorted((beside & files.names) - set(pages)), folder)


def _lead_back(folder: Path) -> None:
    """Put a link to the index at the head of each copied page."""
    for page in folder.rglob("*.html"):
        address = "../" * (len(page.relative_to(folder).parts) - 1) + INDEX
        link = f'<a href="{address}" style="color: var(--accent)">← All reports</a>'
        nav = f'<main>\n<nav style="margin: 0 0 .75rem">{link}</nav>'
        page.write_bytes(page.read_bytes().replace(b"<main>", nav.encode(), 1))


def _render_cards(dataset: FoundDataset, folder: Path) -> None:
    for run in dataset.runs:
        if run.card:
            _render(folder / run.card, folder, rendered_name(run.card))


def _benchmarks(output: str, folder: Path) -> list[Link]:
    names = [name for name in _files(output, BENCHMARKS) if name.endswith(".md")]
    storage.download_many(output, names, folder)
    links = []
    for name in names:
        links.append(_render(folder / name, folder, rendered_name(name)))
        (folder / name).unlink()  # it lies in the output already, and isn't ours
    return links


def _render(source: Path, folder: Path, name: str) -> Link:
    text = source.read_text(encoding="utf-8", errors="replace")
    page = document_page(text, default_title=source.stem, back="../" * name.count("/") + INDEX)
    (folder / name).write_text(page.html, encoding="utf-8")
    return Link(page.title, name)


def _notebooks(output: str) -> list[Link]:
    names = [name for name in _files(output, NOTEBOOKS) if name.endswith(".html")]
    return [Link(Path(name).stem, name) for name in names]


def _files(output: str, folder: str) -> list[str]:
    try:
        return [f"{folder}/{file.name}" for file in storage.list_files(storage.join(output, folder))]
    except storage.NotFoundError:
        return []
