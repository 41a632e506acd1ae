"""What a file's place and name say: its class, its side, and whether it can be an image at all."""

import unicodedata
from collections.abc import Iterable
from typing import Final

from contracts.dataset import Split
from datapipeline.records.archives import is_archive

IMAGE_SUFFIXES: Final = {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"),
    *(".ppm", ".pgm", ".pbm", ".pnm"),
}

_PAPER_SUFFIXES: Final = {
    *(".txt", ".md", ".rst", ".html", ".pdf", ".csv", ".tsv", ".json", ".xml", ".yaml", ".yml", ".toml"),
    *(".mat", ".sha256", ".md5"),
}
_PAPERS: Final = ("license", "licence", "readme", "copying", "notice", "thumbs.db", "desktop.ini")

_SIDES: Final[dict[str, Split]] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""Folders by which authors of data sets give their own split."""


def has_image_suffix(path: str) -> bool:
    """Whether the name is an image's; others are images only if their bytes are."""
    return _suffix(path) in IMAGE_SUFFIXES


def is_ignored(path: str) -> bool:
    """Whether a file isn't worth a word: papers that come with data sets, what systems leave behind."""
    *folders, name = path.split("/")
    if "__MACOSX" in folders or any(part[:1] == "." and part not in (".", "..") for part in (*folders, name)):
        return True
    name, suffix = name.lower(), _suffix(path)
    return suffix in _PAPER_SUFFIXES or name in _PAPERS or (not suffix and name.split("-")[0] in _PAPERS)


def class_name(path: str) -> str:
    """The class of an image: the folder that directly holds it; empty where there is none.

    A folder such as `train` is none: in `roses/train/1.jpg` the class is `roses`.
    """
    folders = reversed(path.split("/")[:-1])
    return next((part for part in folders if part not in ("", ".") and part.lower() not in _SIDES), "")


def given_side(path: str) -> Split | None:
    """The side that the author gave an image, by its outermost folder called train, val or test."""
    folders = path.rpartition("::")[2].split("/")[:-1]
    return next((_SIDES[part.lower()] for part in folders if part.lower() in _SIDES), None)


def trouble(path: str) -> str | None:
    """Why a file can't be taken, by its path alone; None: it can.

    Args:
        path: inside the raw folder or the archive, with forward slashes.
    """
    if path.startswith("/") or path[1:2] == ":" or (".." in path and ".." in path.split("/")):
        return "a path that leads out of its folder"
    if not path.isprintable():
        if path != path.encode(errors="replace").decode():
            return "a name that isn't UTF-8"
        if any(unicodedata.category(character) == "Cc" for character in path):
            return "a name with control characters"
    if is_archive(path):
        return "an archive inside an archive"
    return None if class_name(path) else "in no class folder"


def same_but_for_case(names: Iterable[str]) -> list[list[str]]:
    """Groups of class names that differ by case only: they may be one class."""
    by_case: dict[str, list[str]] = {}
    for name in names:
        by_case.setdefault(name.casefold(), []).append(name)
    return [group for group in by_case.values() if len(group) > 1]


def _suffix(path: str) -> str:
    # Not by pathlib, which takes ten times as long: this is asked several times of every file.
    stem, dot, suffix = path.rpartition("/")[2].rpartition(".")
    return f".{suffix.lower()}" if stem and dot and suffix else ""
