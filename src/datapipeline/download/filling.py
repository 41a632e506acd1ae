"""Fill an output folder with the files of its origins, whatever it held of them before.

`source.json` stands there only while all is whole. In between, `Unfinished` says which files are ours, so
that a run that was killed anywhere, or a changed list of sources, fetches what is missing and no more.
"""

import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path, PurePosixPath

from contracts import storage
from contracts.console import log
from contracts.dataset import Source, SourceOrigin
from datapipeline.download import standing
from datapipeline.download.fetch import fetch, reuse
from datapipeline.download.origin import Origin
from datapipeline.download.standing import Unfinished


def fill(wanted: list[Origin], output: str, began: datetime) -> Source:
    """Bring what isn't there or has changed, remove what has no source any more, and describe the whole.

    Args:
        wanted: the origins; no two have a name in common.
        output: a path or a gs:// URI.
        began: when the origins were looked at.

    Raises:
        InputError: the output holds something else, or what somebody changed; or an origin is gone.
        StageError: a transfer failed.
    """
    there, known = standing.listing(output), standing.known_origins(output)
    stale = standing.stale(known, wanted, there, output)
    current = {one.uri for one in wanted if standing.is_current(known.get(one.uri), one, there)}
    if Source.file_name in there and not stale and known.keys() == {one.uri for one in wanted} == current:
        return _up_to_date(output)
    _take_back(known, output)
    stale = _drop(stale, known, wanted, output)
    for one in wanted:
        if one.uri not in current:
            known = {**known, one.uri: _bring(one, known.get(one.uri), output, began)}
            _document(Unfinished, known.values(), output).write(output)
    _delete(stale, output)
    document = _document(Source, [known[one.uri] for one in wanted], output)
    document.write(output)
    storage.delete(storage.join(output, Unfinished.file_name))
    _tidy(output, partials=True)
    log("fetched", output=output, files=len(document.files), bytes=sum(file.bytes for file in document.files))
    return document


def _up_to_date(output: str) -> Source:
    if storage.exists(unfinished := storage.join(output, Unfinished.file_name)):
        storage.delete(unfinished)
    document = Source.read(output)
    uris = [one.uri for one in document.origins]
    log("up to date", output=output, sources=uris, files=len(document.files))
    return document


def _take_back(known: dict[str, SourceOrigin], output: str) -> None:
    """Take back the promise of `source.json`, but keep in mind what is ours."""
    if known:
        _document(Unfinished, known.values(), output).write(output)
    storage.delete(storage.join(output, Source.file_name))


def _drop(stale: list[str], known: dict[str, SourceOrigin], wanted: list[Origin], output: str) -> list[str]:
    """Delete the stale files that have no source any more, or stand in the way; give the rest.

    The rest are files that get another place: `_bring` can use them.
    """
    uris = {one.uri for one in wanted}
    dropped = {file.name for one in known.values() if one.uri not in uris for file in one.files}
    names = {name for one in wanted for name in one.placed()}
    folders = {parent.as_posix() for name in names for parent in PurePosixPath(name).parents}
    now = [
        name
        for name in stale
        if name in dropped
        or name in folders
        or not names.isdisjoint(parent.as_posix() for parent in PurePosixPath(name).parents)
    ]
    _delete(now, output)
    _tidy(output, partials=False)
    return sorted(set(stale) - set(now))


def _bring(one: Origin, known: SourceOrigin | None, output: str, began: datetime) -> SourceOrigin:
    log("fetching", source=one.uri, output=one.target(output), licence=one.licence)
    if known:
        reuse(known, one, output)
    return SourceOrigin(
        uri=one.uri,
        licence=one.licence,
        citation=one.citation,
        fetched_at=began,
        folder=one.place,
        files=fetch(one, output),
    )


def _document(kind: type[Source], origins: Iterable[SourceOrigin], output: str) -> Source:
    return kind(dataset=storage.last_part(output), origins=tuple(origins))


def _delete(names: list[str], output: str) -> None:
    for name in names:
        storage.delete(storage.join(output, name))


def _tidy(output: str, *, partials: bool) -> None:
    """Remove local folders that hold nothing any more, and `partials` that killed runs left."""
    if storage.is_remote(output):
        return
    for folder, _, names in os.walk(output, topdown=False):
        for name in names:
            if partials and name.startswith(".") and name.endswith(".partial"):
                Path(folder, name).unlink()
        if folder != output and not any(Path(folder).iterdir()):
            Path(folder).rmdir()
