"""A classified image as a picture to show: the photo, upright, and beside it a bar for each class.

In: a decoded image, its name, and classes with probabilities, likeliest first. Out: an RGB image of `WIDTH`
pixels. Its colours are those of the server's page in light.
"""

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw

from serving.fonts import Font, Sizes, font_for
from serving.predictor import Ranked

WIDTH = 960
EDGE = 20
"""From the picture's border to the card's."""
PADDING = 32
"""From the card's border to what is on it."""
PHOTO = 384
"""The photo's longer side; a smaller one is enlarged."""
ROW = 62
"""From one class to the next."""
BAR = 14
"""A bar's height."""

GROUND, SURFACE, LINE = "#f7f6f1", "#ffffff", "#dedfd6"
INK, QUIET = "#1d2a26", "#5c6b65"
ACCENT, SECOND, TRACK = "#24734f", "#a9c9b8", "#ecece4"

_LEFT = EDGE + 2 * PADDING + PHOTO
_RIGHT = WIDTH - EDGE - PADDING
_FIRST_ROW = EDGE + PADDING + 52
_UNTIL_BAR = 28
"""From a class's name down to its bar."""
_ELLIPSIS = "…"


class Bar(NamedTuple):
    """Where a class's bar lies: its left and right end if the class were certain, top and bottom."""

    left: int
    right: int
    top: int
    bottom: int

    def end(self, probability: float) -> int:
        """Its right end, a pixel behind the last one."""
        return self.left + round(probability * (self.right - self.left))


def bar(row: int) -> Bar:
    """The bar of a class, from 0."""
    top = _FIRST_ROW + row * ROW + _UNTIL_BAR
    return Bar(_LEFT, _RIGHT, top, top + BAR)


def draw(image: Image.Image, name: str, best: Sequence[Ranked]) -> Image.Image:
    """Draw the card.

    Args:
        image: RGB, upright.
        name: of the image, to stand above the bars.
        best: one class or more.
    """
    rows_end = bar(len(best) - 1).bottom
    height = max(rows_end, EDGE + PADDING + PHOTO) + PADDING + EDGE
    card = Image.new("RGB", (WIDTH, height), GROUND)
    pen = ImageDraw.Draw(card)
    pen.rounded_rectangle(
        (EDGE, EDGE, WIDTH - EDGE - 1, height - EDGE - 1), radius=20, fill=SURFACE, outline=LINE
    )
    _paste(card, image, height)
    sizes = font_for(name + "".join(class_name for class_name, _ in best) + _ELLIPSIS)
    _text(pen, (_LEFT, EDGE + PADDING), name, sizes(18), QUIET, _RIGHT - _LEFT)
    for row, ranked in enumerate(best):
        _draw_class(pen, row, ranked, sizes)
    return card


def _paste(card: Image.Image, image: Image.Image, height: int) -> None:
    """Put the photo on the left, at half of the card's height, with round corners."""
    scale = PHOTO / max(image.size)
    # The pixels of a small image are what the network saw: they are shown as they are.
    resampling = Image.Resampling.NEAREST if scale > 2 else Image.Resampling.LANCZOS
    width, tall = (max(1, round(side * scale)) for side in image.size)
    photo = image.resize((width, tall), resampling)
    mask = Image.new("L", photo.size)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, width - 1, tall - 1), radius=10, fill=255)
    card.paste(photo, (EDGE + PADDING + (PHOTO - width) // 2, (height - tall) // 2), mask)


def _draw_class(pen: ImageDraw.ImageDraw, row: int, ranked: Ranked, sizes: Sizes) -> None:
    place = bar(row)
    font, colour = sizes(20), INK if row == 0 else QUIET
    top = place.top - _UNTIL_BAR
    percent = f"{ranked.probability:.1%}"
    pen.text((place.right, top), percent, fill=colour, font=font, anchor="ra")
    room = place.right - place.left - font.getlength(percent) - 16
    _text(pen, (place.left, top), ranked.name, font, colour, room)
    radius = BAR // 2
    ends = (place.top, place.bottom - 1)
    pen.rounded_rectangle((place.left, ends[0], place.right - 1, ends[1]), radius=radius, fill=TRACK)
    if (width := place.end(ranked.probability) - place.left) > 0:
        pen.rounded_rectangle(
            (place.left, ends[0], place.left + width - 1, ends[1]),
            radius=min(radius, width // 2),
            fill=ACCENT if row == 0 else SECOND,
        )


def _text(
    pen: ImageDraw.ImageDraw, place: tuple[int, int], text: str, font: Font, colour: str, room: float
) -> None:
    """Write a line, cut to the room there is."""
    line = " ".join(text.split())
    shown = line
    while line and font.getlength(shown) > room:
        line = line[:-1]
        shown = line.rstrip() + _ELLIPSIS
    pen.text(place, shown, fill=colour, font=font)
