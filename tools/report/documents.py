"""Markdown as HTML: model cards and benchmarks.

What stands in them comes from users as well (a class can be called anything), so no HTML of theirs gets
through, no link that runs something, and no picture that would have to be fetched.
"""

import re
from typing import NamedTuple
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor


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
            if not _WEB.match(address := element.get("href", "")) and not _RELATIVE.fullmatch(address):
                del element.attrib["href"]
            address = element.get("src", "")
            if address.startswith("//") or not _RELATIVE.fullmatch(address):
                del element.attrib["src"]


_WEB = re.compile("https?://|mailto:")
# Without what a browser would read a scheme from: `javascript:`, `java&#10;script&#58;`, a control character.
_RELATIVE = re.compile(r"[\w\s./?=%~+,@#()-]*", re.ASCII)
