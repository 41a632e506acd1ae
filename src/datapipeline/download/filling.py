"""Fill an output folder with the files of its origins, whatever it held of them before.

`source.json` stands there only while all is whole. In between, `Unfinished` says which files are ours, so
that a run that was killed anywhere, or a changed list of sources, fetches what is missing and no more.
"""

import os
from collections.abc import Iterable, Iterator
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
    there = standing.listing(output)
    known, planned = standing.left_by_a_run(output)
    stale = standing.stale(known, planned, wanted, there, output)
    current = {one.uri for one in wanted if standing.is_current(known.get(one.uri), one, there)}
    if Source.file_name in there and not stale and known.keys() == {one.uri for one in wanted} == current:
        return _up_to_date(output)
    if known:
        _remember(known, wanted, output)
    storage.delete(storage.join(output, Source.file_name))  # from here on the folder isn't whole
    moving = _drop(stale, known, wanted, output)
    for one in wanted:
        if one.uri not in current:
            new = _bring(one, known.get(one.uri), output, began)
            _delete(_files(known.get(one.uri)) & moving, output)
            known = {**known, one.uri: new}
            _remember(known, wanted, output)
    _tidy(output, partials=True)
    document = Source(dataset=storage.last_part(output), origins=tuple(known[one.uri] for one in wanted))
    document.write(output)
    storage.delete(storage.join(output, Unfinished.file_name))
    log("fetched", output=output, files=len(document.files), bytes=sum(file.bytes for file in document.files))
    return document


def _up_to_date(output: str) -> Source:
    if storage.exists(unfinished := storage.join(output, Unfinished.file_name)):
        storage.delete(unfinished)
    document = Source.read(output)
    uris = [one.uri for one in document.origins]
    log("up to date", output=output, sources=uris, files=len(document.files))
    return document


def _remember(known: dict[str, SourceOrigin], wanted: list[Origin], output: str) -> None:
    """Keep in mind what is ours, whole or not, for a run after one that ends here."""
    planned = tuple(name for one in wanted for name in one.placed())
    Unfinished(dataset=storage.last_part(output), origins=tuple(known.values()), planned=planned).write(
        output
    )


def _drop(stale: list[str], known: dict[str, SourceOrigin], wanted: list[Origin], output: str) -> set[str]:
    """Delete the stale files that are no wanted origin's, or that stand in the way.

    Returns:
        The rest, which go once `_bring` had its use of them for another place.
    """
    kept = {name for one in wanted for name in _files(known.get(one.uri))}
    names = {name for one in wanted for name in one.placed()}
    folders = {folder for name in names for folder in _folders(name)}
    now = {
        name for name in stale if name not in kept or name in folders or not names.isdisjoint(_folders(name))
    }
    _delete(now, output)
    _tidy(output, partials=False)
    return set(stale) - now


def _files(origin: SourceOrigin | None) -> set[str]:
    return {file.name for file in origin.files} if origin else set()


def _folders(name: str) -> Iterator[str]:
    """The folders that a file lies in."""
    return (folder.as_posix() for folder in PurePosixPath(name).parents)


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


def _delete(names: Iterable[str], output: str) -> None:
    for name in names:
        storage.delete(storage.join(output, name))


def _tidy(output: str, *, partials: bool) -> None:
    """Remove local folders that hold nothing any more, and `partials` that killed runs left."""
    if storage.is_remote(output):
        return
    for folder, _, names in os.walk(output, topdown=False):
        for name in names:
            if partials and _is_partial(name):
                Path(folder, name).unlink()
        if folder != output and not any(Path(folder).iterdir()):
            Path(folder).rmdir()


def _is_partial(name: str) -> bool:
    return name.startswith(".") and name.endswith(storage.PARTIAL) and name != Unfinished.file_name
