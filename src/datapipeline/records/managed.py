"""A managed image data set of Vertex AI, as a training job is given it: lists in a bucket, images anywhere.

Each side of the split has lists of JSON objects, one a line: `{"imageGcsUri": "gs://bucket/1.jpg",
"classificationAnnotation": {"displayName": "rose"}, …}`. An image's path is its URI. Lines that name no image
with one label are rejected by name; images are read in place.
"""

import fnmatch
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, Self

from contracts import storage, vertex_environment
from contracts.dataset import SPLITS, Split
from contracts.errors import InputError
from datapipeline.records import naming
from datapipeline.records.ahead import ahead
from datapipeline.records.raw import COLUMNS, THREADS, RawFolder, too_large

_FORMAT: Final = "jsonl"
_OBJECT: Final = re.compile(
    r"gs://[a-z0-9]([a-z0-9._-]{0,220}[a-z0-9])?/"
    r"[^\r\n\0\ud800-\udfff]*[^/\r\n\0\ud800-\udfff]/*"
)
"""What Cloud Storage can hold; other names it refuses to be asked for."""


class Line(NamedTuple):
    """A line of a list."""

    side: Split
    place: str
    """Of the line itself, as in `gs://bucket/export/training-00000:12`."""
    uri: str
    """Of its image; its own place where it names none."""
    label: str
    reason: str
    """Why it can't be taken; empty: it can."""


class Managed(NamedTuple):
    """Where a managed data set's lists are."""

    patterns: Mapping[Split, str]
    """Of each side that has some: `gs://bucket/folder/training-*`."""

    @property
    def folder(self) -> str:
        """What holds the lists of the first side: the data set's place."""
        return next(iter(self.patterns.values())).rpartition("/")[0]


def managed_data() -> Managed | None:
    """What Vertex AI gives this job; None: nothing.

    Raises:
        InputError: it comes in another format, or without a list.
    """
    kind = vertex_environment.data_format()
    if kind is None:
        return None
    if kind != _FORMAT:
        raise InputError(
            f"{vertex_environment.DATA_FORMAT}={kind}: expected {_FORMAT}, which Vertex AI gives for images; "
            "or name a folder with --input"
        )
    patterns = {split: uri for split in SPLITS if (uri := vertex_environment.data_uri(split))}
    if not patterns:
        raise InputError(
            f"{vertex_environment.DATA_FORMAT} is set, and {vertex_environment.DATA_URIS['train']} isn't: "
            "name a folder with --input"
        )
    return Managed({split: storage.canonical(uri) for split, uri in patterns.items()})


class ManagedImages(RawFolder):
    """The images of a managed data set, each with the side that Vertex AI gave it."""

    def __init__(self, data: Managed) -> None:
        super().__init__(data.folder, listed=False)
        self._data = data

    def __enter__(self) -> Self:
        super().__enter__()
        with self._cleanup:
            for line, found in ahead(self._looked_up, self._lines(), lambda line: not line.reason, THREADS):
                self._add_line(line, found)
            self._check()
            self._cleanup = self._cleanup.pop_all()
        return self

    def _lines(self) -> Iterator[Line]:
        for side, pattern in self._data.patterns.items():
            folder, _, name = pattern.rpartition("/")
            for file in storage.list_files(folder):
                if fnmatch.fnmatchcase(file.name, name):
                    uri = storage.join(folder, file.name)
                    self._note(storage.FileInfo(uri, *file[1:]))
                    with storage.open_read(uri) as lines:
                        yield from read_lines(side, uri, lines)

    def _looked_up(self, line: Line) -> tuple[Line, storage.FileInfo | None]:
        if line.reason:
            return line, None
        try:
            return line, storage.stat(line.uri)
        except storage.NotFoundError:
            return line, None
        except storage.UnreachableError as error:
            raise type(error)(f"{line.place}: {error}") from error

    def _add_line(self, line: Line, found: storage.FileInfo | None) -> None:
        reason = line.reason or ("it isn't there" if found is None else too_large(found.bytes))
        if reason or found is None:
            self.table.reject(line.uri, reason or "")
            return
        try:
            self._note(storage.FileInfo(line.uri, *found[1:]))
        except sqlite3.IntegrityError:
            self.table.reject(line.uri, "listed more than once")
            return
        row = (line.uri, line.label, line.uri, None, 0, found.bytes, found.bytes, 0, None, line.side)
        self.table.sql.execute(
            f"INSERT INTO image ({COLUMNS}, stated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row
        )
        self.class_names.add(line.label)
        self.given_sides.add(line.side)

    def _note(self, file: storage.FileInfo) -> None:
        self.table.sql.execute("INSERT INTO file VALUES (?, ?, ?)", (file.name, file.bytes, file.crc32c))

    def _check(self) -> None:
        if not self.class_names:
            path, reason = next(self.table.rejected(), ("", "no line"))
            raise InputError(
                f"{', '.join(self._data.patterns.values())}: expected lists of images with a label; got "
                f"{f'{path}: ' if path else ''}{reason}"
            )


def read_lines(side: Split, list_uri: str, lines: Iterable[bytes]) -> Iterator[Line]:
    """Read a list. A line that can't be read is named by the list and its number.

    Args:
        side: that its images are on.
        list_uri: its name.
        lines: JSON each; empty ones are passed over.
    """
    for number, text in enumerate(lines, 1):
        place = f"{list_uri}:{number}"
        if not text.strip():
            continue
        try:
            item = json.loads(text)
            uri = item["imageGcsUri"]
        except (ValueError, KeyError, TypeError, RecursionError):
            yield Line(side, place, place, "", "no JSON object with an imageGcsUri")
            continue
        if not isinstance(uri, str) or not _OBJECT.fullmatch(storage.canonical(uri)):
            yield Line(side, place, place, "", "its imageGcsUri is no gs://bucket/name")
            continue
        label, reason = _label(item)
        yield Line(side, place, storage.canonical(uri), label, reason)


def _label(item: Mapping[str, Any]) -> tuple[str, str]:
    """The label, or why there is none."""
    if isinstance(several := item.get("classificationAnnotations"), list):
        if len(several) != 1:
            return (
                "",
                "no label" if not several else f"{len(several)} labels, and an image has one class here",
            )
        annotation = several[0]
    else:
        annotation = item.get("classificationAnnotation")
    label = annotation.get("displayName") if isinstance(annotation, dict) else None
    if not isinstance(label, str) or not label.strip():
        return "", "no label"
    if "/" in label or naming.class_name(f"{label}/1.jpg") != label or naming.trouble(f"{label}/1.jpg"):
        return "", f"its label {label!r} can't be a class's name"
    return label, ""
