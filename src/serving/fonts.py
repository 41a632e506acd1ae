"""Fonts that text is drawn in: Pillow's own, else one of this machine that has the characters it lacks.

Pillow's, which is always there, is a font of English.
"""

from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Sizes = Callable[[float], Font]
"""A size in pixels to the font at that size."""

FILES = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSansArabic-Regular.ttf",
    "Arial.ttf",
    "arial.ttf",
    "Arial Unicode.ttf",
    "msyh.ttc",
    "PingFang.ttc",
)
"""What Linux, macOS and Windows have; Pillow knows their folders."""

_NO_CHARACTER = "\uffff"


def font_for(text: str) -> Sizes:
    """Choose a font for all characters of a text, or for as many as any of them has."""
    best: Sizes = ImageFont.load_default
    fewest = _lacking(best, text)
    for font in _others() if fewest else ():
        lacking = _lacking(font, text)
        if lacking < fewest:
            best, fewest = font, lacking
        if not fewest:
            break
    return best


def _others() -> Iterator[Sizes]:
    for file in (*_of_matplotlib(), *FILES):
        if _opens(file):
            yield partial(ImageFont.truetype, file)


def _of_matplotlib() -> list[str]:
    """Where it is installed, as on the host, but not in the server's image: a font of many scripts."""
    package = find_spec("matplotlib")
    folder = Path(package.origin).parent if package and package.origin else None
    return [str(folder / "mpl-data/fonts/ttf/DejaVuSans.ttf")] if folder else []


@cache
def _opens(file: str) -> bool:
    try:
        ImageFont.truetype(file, 10)
    except OSError:
        return False
    return True


def _lacking(sizes: Sizes, text: str) -> int:
    """How many different characters of a text the font would draw as its box for what it lacks."""
    font = sizes(10)
    box = bytes(font.getmask(_NO_CHARACTER))
    return sum(bytes(font.getmask(character)) == box for character in set(text) if not character.isspace())
