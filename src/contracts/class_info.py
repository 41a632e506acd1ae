"""What a page may tell of a class: `class_info.yaml` in a bundle, an optional short text and link for each.

    daisy:
      text: A common European species of the aster family.
      link: https://en.wikipedia.org/wiki/Bellis_perennis
    "7": {link: "https://en.wikipedia.org/wiki/7"}

Classes may be left out. The trainer copies the file of `--class-info` beside the bundle's own files;
`bundle.json` doesn't list it, so it may be written, changed or removed at any time: it changes no answer, and
nothing has to be trained or judged anew for it.
"""

from collections.abc import Collection, Mapping
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, model_validator

from contracts import storage
from contracts.bundle import ModelBundle
from contracts.documents import Part
from contracts.errors import InputError

CLASS_INFO: Final = "class_info.yaml"
"""Its name in a bundle."""

LONGEST_TEXT: Final = 500
"""Characters of a text: a paragraph beneath a photo."""


def _check_link(link: str) -> str:
    from urllib.parse import urlsplit

    parts = urlsplit(link)  # a ValueError where an address in brackets is none
    if parts.scheme not in ("http", "https") or not parts.hostname or not link.isprintable() or " " in link:
        raise ValueError("expected a link that begins with https:// or http://")
    return link


class ClassInfo(Part):
    """What is told of a class: a text, a link, or both."""

    text: str = Field(default="", max_length=LONGEST_TEXT)
    link: Annotated[str, AfterValidator(_check_link)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.text.strip() and self.link is None:
            raise ValueError("expected a text, a link, or both")
        return self


_FILE: Final = TypeAdapter(dict[str, ClassInfo])


def parse_class_info(content: bytes, uri: str, class_names: Collection[str]) -> dict[str, ClassInfo]:
    """Read a file's content.

    Args:
        content: the file, YAML in UTF-8.
        uri: where it came from, for the message.
        class_names: those that may be told of.

    Raises:
        InputError: it isn't of this form, or tells of another class; the class and the field are named.
    """
    from contracts.strict_yaml import read_yaml  # no server without such a file needs YAML

    try:
        # As text, or the class `no` would be False.
        info = _FILE.validate_python(read_yaml(content, uri, as_text=True) or {})
    except ValidationError as error:
        first = error.errors()[0]
        where = ", ".join(str(part) for part in first["loc"]) or "the file"
        problem = first["msg"].removeprefix("Value error, ")
        raise InputError(
            f"{uri}: {where}: {problem}; expected for each class a text of at most {LONGEST_TEXT} "
            "characters, a link, or both"
        ) from None
    for name in info:
        if name not in class_names:
            raise InputError(
                f"{uri} tells of the class {name}, which the model doesn't know: expected some of "
                f"{_some(class_names)}"
            )
    return info


def read_class_info(uri: str, class_names: Collection[str]) -> bytes:
    """Read a file that somebody names, and check it.

    Args:
        uri: a path or gs:// URI.
        class_names: those that may be told of.

    Returns:
        Its content.

    Raises:
        InputError: it isn't there, isn't of this form, or tells of another class.
    """
    try:
        content = storage.read_bytes(uri)
    except storage.NotFoundError:
        raise InputError(
            f"there is no file {uri}: expected a {CLASS_INFO} with a text or link for classes"
        ) from None
    parse_class_info(content, uri, class_names)
    return content


def class_info_of(uri: str, bundle: ModelBundle) -> Mapping[str, ClassInfo]:
    """What a bundle tells of its classes; nothing where it has no such file.

    Args:
        uri: the bundle's folder: a path or gs://bucket/prefix.
        bundle: its document.

    Raises:
        InputError: the file isn't of this form.
    """
    place = storage.join(uri, CLASS_INFO)
    try:
        content = storage.read_bytes(place)
    except storage.NotFoundError:
        return {}
    return parse_class_info(content, place, bundle.class_names)


def _some(names: Collection[str], most: int = 8) -> str:
    shown = sorted(names)[:most]
    return ", ".join(shown) + (", …" if len(names) > most else "")
