"""How an output folder stands to what is wanted: what is whole, what is stale, and what isn't ours."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from contracts import storage
from contracts.dataset import Source, SourceFile, SourceOrigin
from contracts.errors import InputError
from contracts.storage import FileInfo
from datapipeline.download.origin import Origin, is_junk

Listing = dict[str, FileInfo]


class Unfinished(Source):
    """As `source.json`, while the folder isn't whole: what in it is ours. A hidden file, gone at the end."""

    file_name: ClassVar[str] = Source.unfinished_name

    planned: tuple[str, ...] = Field(default=(), description="files that may be there without a description")


def listing(output: str) -> Listing:
    """The files of the output by name; none where there is no folder.

    Raises:
        InputError: it is a file.
    """
    if not storage.is_remote(output) and Path(output).is_file():
        raise InputError(f"{output} is a file: name a folder as --output")
    try:
        return {file.name: file for file in storage.iter_files(output)}
    except storage.NotFoundError:
        return {}


def left_by_a_run(output: str) -> tuple[dict[str, SourceOrigin], frozenset[str]]:
    """What a run before has fetched, by URI; and the names of files that it may have begun with."""
    if source := Source.read_if_there(output):
        return {one.uri: one for one in source.origins}, frozenset()
    if unfinished := Unfinished.read_if_there(output):
        return {one.uri: one for one in unfinished.origins}, frozenset(unfinished.planned)
    return {}, frozenset()


def is_current(known: SourceOrigin | None, wanted: Origin, there: Listing) -> bool:
    """Whether all of an origin is there, in its place, and it hasn't changed since it was fetched."""
    if known is None or not _is_there(known, there):
        return False
    described = {file.name: file for file in known.files}
    files = wanted.placed()
    return described.keys() == files.keys() and all(
        _is_same(file, described[name], known, wanted) for name, file in files.items()
    )


def _is_there(known: SourceOrigin, there: Listing) -> bool:
    return all(
        (found := there.get(file.name)) is not None
        and found.bytes == file.bytes
        and found.crc32c in (None, file.crc32c)
        for file in known.files
    )


def _is_same(file: FileInfo, described: SourceFile, known: SourceOrigin, wanted: Origin) -> bool:
    if wanted.sha256 not in (None, described.sha256):
        return False
    if wanted.folder is None:  # over http: only asking again would tell more
        return file.bytes in (0, described.bytes)
    if file.bytes != described.bytes:
        return False
    if file.crc32c is not None:
        return file.crc32c == described.crc32c
    # A local file's checksum costs a read of it; that it is no younger than the copy is nearly as good.
    return Path(str(wanted.folder), file.name).stat().st_mtime <= known.fetched_at.timestamp()


def stale(
    known: dict[str, SourceOrigin],
    planned: frozenset[str],
    wanted: Sequence[Origin],
    there: Listing,
    output: str,
) -> list[str]:
    """The files in the output that a run before brought and that aren't wanted any more, sorted.

    Raises:
        InputError: the output is of something else, or holds what isn't ours or was changed since.
    """
    uris, names = ", ".join(one.uri for one in wanted), {name for one in wanted for name in one.placed()}
    if known and known.keys().isdisjoint(one.uri for one in wanted):
        raise InputError(
            f"{output} holds {', '.join(known)}, not {uris}: choose another --output, or delete that folder"
        )
    described = {file.name: file for one in known.values() for file in one.files}
    ours = {Source.file_name, Unfinished.file_name, *names, *described, *planned}
    for name in sorted(there.keys() - ours):
        if not is_junk(name):
            raise InputError(
                f"{output} holds {name}, which isn't of {uris}: choose another --output, or delete that "
                "folder"
            )
    gone = sorted(((described.keys() | planned) & there.keys()) - names)
    for name in gone:
        if name in described and not _is_untouched(there[name], described[name], output):
            raise InputError(
                f"{output} holds {name}, which is no longer wanted but was changed since it was fetched: "
                "move it away"
            )
    return gone


def _is_untouched(found: FileInfo, described: SourceFile, output: str) -> bool:
    if found.bytes != described.bytes:
        return False
    return (found.crc32c or storage.checksum(Path(output, found.name))) == described.crc32c
