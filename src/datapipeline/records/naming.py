"""What a file's place and name say: its class, and whether it is an image, a paper or something else."""

import unicodedata
from pathlib import PurePosixPath
from typing import Final

from datapipeline.records.archives import is_archive

IMAGE_SUFFIXES: Final = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"),
    *(".ppm", ".pgm", ".pbm", ".pnm"),
)

_PAPER_SUFFIXES: Final = (
    *(".txt", ".md", ".rst", ".html", ".pdf", ".csv", ".tsv", ".json", ".xml", ".yaml", ".yml", ".toml"),
    *(".mat", ".sha256", ".md5"),
)
_PAPERS: Final = ("license", "licence", "readme", "copying", "notice", "thumbs.db", "desktop.ini")


def is_image(path: str) -> bool:
    """Whether the name is an image's."""
    return PurePosixPath(path).suffix.lower() in IMAGE_SUFFIXES


def is_ignored(path: str) -> bool:
    """Whether a file isn't worth a word: papers that come with data sets, what systems leave behind."""
    parts = PurePosixPath(path).parts
    if "__MACOSX" in parts or any(part.startswith(".") and part != ".." for part in parts):
        return True
    name = PurePosixPath(path).name.lower()
    suffix = PurePosixPath(name).suffix
    return suffix in _PAPER_SUFFIXES or name in _PAPERS or (not suffix and name.split("-")[0] in _PAPERS)


def class_name(path: str) -> str:
    """The class of an image: the folder that directly holds it; empty where there is none."""
    return PurePosixPath(path).parent.name


def trouble(path: str) -> str | None:
    """Why a file can't be taken, by its path alone; None: it can.

    Args:
        path: inside the raw folder or the archive, with forward slashes.
    """
    parts = PurePosixPath(path).parts
    if path.startswith("/") or ".." in parts:
        return "a path that leads out of its folder"
    if path != path.encode(errors="replace").decode():
        return "a name that isn't UTF-8"
    if any(unicodedata.category(character) == "Cc" for character in path):
        return "a name with control characters"
    if not is_image(path):
        return "an archive inside an archive" if is_archive(path) else "not an image, by its name"
    return None if class_name(path) else "in no class folder"
