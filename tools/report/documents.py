"""Markdown as HTML: model cards and benchmarks.

What stands in them comes from users as well (a class can be called anything), so no HTML of theirs gets
through, no link that runs something, and no picture that would have to be fetched.
"""

import re
from typing import NamedTuple
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor

SCHEMES = {"", "http", "https", "mailto"}
"""Of links; none: a relative one."""


class RenderedDocument(NamedTuple):
    """A document's title, as plain text, and its HTML, title included."""

    title: str
    html: str


def render_markdown(text: str) -> RenderedDocument:
    """Turn Markdown with tables into HTML; a YAML header is left out."""
    body = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL).lstrip()
    heading = re.match(r"# (.+)", body)
    markdown = Markdown(extensions=["tables", "fenced_code", "sane_lists", _Harmless()])
    return RenderedDocument(heading[1].strip() if heading else "", markdown.convert(body))


class _Harmless(Extension):
    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - the library's name
        md.preprocessors.deregister("html_block")
        md.inlinePatterns.deregister("html")
        md.treeprocessors.register(_NoForeignAddresses(md), "no_foreign_addresses", priority=0)


class _NoForeignAddresses(Treeprocessor):
    def run(self, root: Element) -> None:
        for element in root.iter():
            if _scheme(element.get("href", "")) not in SCHEMES:
                del element.attrib["href"]
            if element.tag == "img" and (_scheme(element.get("src", "")) or "//" in element.get("src", "")):
                del element.attrib["src"]


def _scheme(address: str) -> str:
    # A browser skips white space and control characters: `java\nscript:` runs, too.
    try:
        return urlsplit(re.sub(r"[\x00-\x20]", "", address)).scheme.lower()
    except ValueError:
        return "invalid"
