"""What to look at first, in plain words."""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from contracts.dataset import SPLITS, Manifest
from datapipeline.records.naming import same_but_for_case
from datapipeline.records.report.alike import Size
from datapipeline.records.report.balance import FEW, Balance, ratio
from datapipeline.records.report.names import shown
from datapipeline.records.report.outliers import Outliers
from datapipeline.records.report.refused import LEAKS, LOOKS_THE_SAME, Refused
from datapipeline.records.report.shapes import Shapes

UNBALANCED: Final = 3.0
"""Ratio of the largest class over the smallest that is worth a word; at three times that, a warning."""

FAR: Final = 1 / 3
"""How far a side's share may be from what was asked for, of that, before it is worth a word."""

_FEW: Final = 10
"""Images by which a side is off that say nothing: as much falls by chance."""

_SHOWN: Final = 3
_REASONS: Final = 12

_ODD: Final = {
    "dark": "much darker than most",
    "bright": "much brighter than most",
    "blurred": "much blurrier than most",
    "long": "over three times as long as wide: a square crop loses most",
}


class Finding(NamedTuple):
    """One sentence."""

    level: Literal["warning", "note"]
    text: str
    section: str
    """The id of the page's section that shows it."""


def findings(
    manifest: Manifest, classes: Balance, same: Size, odd: Outliers, rejected: Refused, sizes: Shapes
) -> list[Finding]:
    """What is worth a look; warnings come first."""
    everything = [
        *_labels(manifest),
        *_names(manifest),
        *_leaks(rejected),
        *_classes(classes),
        *_shares(manifest),
        *_looks(odd),
        *_sizes(sizes),
        *_duplicates(manifest, same, rejected),
        *_rejected(rejected),
    ]
    return sorted(everything, key=lambda finding: finding.level != "warning")


def _labels(manifest: Manifest) -> Iterator[Finding]:
    count = manifest.conflicts
    if count:
        stand = f"{_verb(count, 'look')} the same but {_verb(count, 'stand')} in different classes"
        yield Finding("warning", f"{_count(count, 'group')} of images {stand}", "conflicts")


def _names(manifest: Manifest) -> Iterator[Finding]:
    alike = same_but_for_case(manifest.class_names)
    for names in alike[:_SHOWN]:
        quoted = " and ".join(f"“{shown(name, 40)}”" for name in names)
        yield Finding("warning", f"The classes {quoted} differ by case only: are they one?", "classes")
    if len(alike) > _SHOWN:
        more = _count(len(alike) - _SHOWN, "more name")
        yield Finding("warning", f"{more} of classes differ by case only", "classes")


def _leaks(rejected: Refused) -> Iterator[Finding]:
    counts = dict(rejected.kinds)
    for kind, side in LEAKS.items():
        count = counts.get(kind, 0)
        if count:
            where = f"the author's {'train or val' if side == 'test' else 'train'} also {_verb(count, 'lie')}"
            left = f"{'it is' if count == 1 else 'they are'} left out"
            text = f"{_count(count, 'image')} of {where} in the author's {side}: {left}"
            yield Finding("warning", text, "rejected")


def _classes(classes: Balance) -> Iterator[Finding]:
    if classes.ratio >= UNBALANCED:
        first, last = (shown(row.name, 60) for row in (classes.first, classes.last))
        counts = f"{classes.first.total:,} against {classes.last.total:,}"
        text = f"“{first}” has {ratio(classes.ratio)} times the images of “{last}”: {counts}"
        yield Finding("warning" if classes.ratio >= 3 * UNBALANCED else "note", text, "classes")
    few = classes.few_to_test
    if few:
        names = ", ".join(f"“{shown(name, 40)}”" for name in few[:_SHOWN])
        more = f" and {_count(len(few) - _SHOWN, 'more class')}" if len(few) > _SHOWN else ""
        have = "has" if len(few) == 1 else "have"
        text = f"{names}{more} {have} fewer than {FEW} images in test: their scores will say little"
        yield Finding("note", text, "classes")


def _shares(manifest: Manifest) -> Iterator[Finding]:
    for split, fraction in zip(SPLITS, manifest.fractions, strict=True):
        count, asked = manifest.images_in(split), fraction * manifest.images
        if not manifest.keep_split and abs(count - asked) >= max(_FEW, FAR * asked):
            shares = f"{100 * count / manifest.images:.1f}% of the images, where {100 * fraction:.3g}%"
            yield Finding("note", f"{split} has {shares} were asked for", "classes")


def _looks(odd: Outliers) -> Iterator[Finding]:
    if odd.flat:
        show = f"{_count(odd.flat, 'image')} {_verb(odd.flat, 'show')}"
        yield Finding("warning", f"{show} nothing but one colour or a smooth shade", "outliers")
    for strip in odd.strips:
        if strip.total:
            are = f"{_count(strip.total, 'image')} {_are(strip.total)}"
            yield Finding("note", f"{are} {_ODD[strip.key]}", "outliers")


def _sizes(sizes: Shapes) -> Iterator[Finding]:
    least, _, median, *_ = next(numbers for name, numbers in sizes.table if name == "shorter side")
    if median >= 4 * least:
        text = f"The smallest image has a shorter side of {least} pixels, where {median} are usual"
        yield Finding("note", text, "sizes")


def _duplicates(manifest: Manifest, same: Size, rejected: Refused) -> Iterator[Finding]:
    if same.groups:
        share = 100 * same.images / manifest.images
        images = f"{same.images:,} images{f' ({share:.1f}%)' if share >= 0.1 else ''}"
        are = "are exact copies" if manifest.near_duplicates == "ignore" else "look the same"
        groups = f"in {_count(same.groups, 'group')}: each group is on one side of the split"
        across = same.groups == manifest.conflicts
        yield Finding("note", f"{images} {are}, {groups}", "conflicts" if across else "duplicates")
    dropped = dict(rejected.kinds).get(LOOKS_THE_SAME, 0)
    if dropped:
        were = "was" if dropped == 1 else "were"
        text = f"{_count(dropped, 'image')} {were} dropped, as another looks the same"
        yield Finding("note", text, "rejected")


def _rejected(rejected: Refused) -> Iterator[Finding]:
    kinds = [(kind, count) for kind, count in rejected.kinds if kind not in {LOOKS_THE_SAME, *LEAKS}]
    if kinds:
        reasons = ", ".join(f"{count:,} {shown(kind, 60)}" for kind, count in kinds[:_REASONS])
        more = f", and {_count(len(kinds) - _REASONS, 'other reason')}" if len(kinds) > _REASONS else ""
        yield Finding("note", f"Rejected files: {reasons}{more}", "rejected")


def _count(number: int, noun: str) -> str:
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def _verb(number: int, verb: str) -> str:
    return f"{verb}s" if number == 1 else verb


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
