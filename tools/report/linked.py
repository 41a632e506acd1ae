"""Which files a page names by relative addresses: what has to lie beside a copy of it."""

import posixpath
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit


def linked(html: str, name: str) -> set[str]:
    """Give the files that a page links to, relative to what its own name is relative to."""
    addresses = _Addresses()
    addresses.feed(html)
    folder = posixpath.dirname(name)
    return {posixpath.normpath(posixpath.join(folder, address)) for address in addresses.found}


class _Addresses(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for key, value in attrs:
            if key in {"href", "src"} and value and not value.startswith("data:"):
                parts = urlsplit(value)
                if not parts.scheme and not parts.netloc and parts.path:
                    self.found.add(unquote(parts.path))
