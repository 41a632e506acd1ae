"""Fills the templates of the pages, in the frame and style of the training reports."""

import posixpath
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import (
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PrefixLoader,
    StrictUndefined,
    select_autoescape,
)

from models.trainer.reporting import rendering
from tools.report.documents import RenderedDocument, render_markdown


class Link(NamedTuple):
    """A page that the index leads to."""

    text: str
    address: str


def render(template: str, **values: Any) -> str:
    """Fill a template of `templates/`; values are escaped, and a missing one is an error."""
    return _environment().get_template(template).render(values)


def document_page(text: str, *, default_title: str, back: str) -> RenderedDocument:
    """A page of Markdown, with the address of the page that leads here."""
    document = render_markdown(text)
    title = document.title or default_title
    return RenderedDocument(title, render("document.html.j2", title=title, html=document.html, back=back))


def rendered_name(name: str) -> str:
    """What a document's page is called: `model_card.md` becomes `model_card.html`."""
    return posixpath.splitext(name)[0] + ".html"


@cache
def _environment() -> Environment:
    ours = FileSystemLoader(Path(__file__).with_name("templates"))
    frame = FileSystemLoader(Path(rendering.__file__).with_name("templates"))
    return Environment(
        # The frame includes style.css, which is ours: it takes in the frame's own.
        loader=ChoiceLoader([ours, frame, PrefixLoader({"trainer": frame})]),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
