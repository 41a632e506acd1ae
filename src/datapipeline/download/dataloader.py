"""Bring a data set into `raw/<dataset>`: its files as they are, then `source.json`.

In: a name of the catalogue, a folder, an archive, an http(s) address, or a gs:// object or prefix.
Out: the same bytes in the output folder; an archive is never unpacked.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from contracts import options, storage
from contracts.console import log, run_app
from contracts.dataset import Source, SourceFile
from contracts.errors import InputError
from contracts.storage import FileInfo
from datapipeline.download import catalogue, origin
from datapipeline.download.fetch import fetch
from datapipeline.download.origin import Origin

app = typer.Typer(add_completion=False, rich_markup_mode=None)

EXAMPLES = """\b
Examples:
  python -m datapipeline.download.dataloader --source digits --output data/raw/digits
  python -m datapipeline.download.dataloader --source ~/photos --output data/raw/photos
  python -m datapipeline.download.dataloader --source gs://a/photos.zip --output gs://b/raw/photos"""

Listing = dict[str, FileInfo]


@app.command(epilog=EXAMPLES)
def dataloader_cli(
    source: Annotated[
        str,
        typer.Option(
            help="A name of the catalogue (digits, flowers, dogs), a folder, an archive (zip, tar, tar.gz), "
            "an http(s) address of one, or a gs:// object or prefix."
        ),
    ],
    output: options.Output,
    catalogue: Annotated[
        Path,
        typer.Option(
            envvar="CHRYSALIS_CATALOGUE",
            help="Folder of the catalogue's *.toml.",
            show_default="data/sources",
        ),
    ] = catalogue.FOLDER,
) -> None:
    """Fetch a data set as it is and say in source.json what was fetched."""
    dataloader(source, output, catalogue)


def dataloader(source: str, output: str, catalogue: Path = catalogue.FOLDER) -> Source:
    """Fill the folder `output` (a path or a gs:// URI) with the files of `source`, and describe them.

    What is there and whole stays, so a killed run is finished by the same call.

    Raises:
        InputError: there is nothing to fetch, or the output holds something else.
        StageError: the transfer failed.
    """
    began = datetime.now(UTC)  # a file of the source that is younger than this counts as changed
    wanted = origin.find(source, catalogue)
    _refuse_overlap(wanted, output)
    there = _listing(output)
    known = Source.read_if_there(output) if Source.file_name in there else None
    if known and known.uri != wanted.uri:
        raise InputError(
            f"{output} holds {known.uri}, not {wanted.uri}: choose another --output, or delete that folder"
        )
    if known and _is_current(known, wanted, there):
        log("up to date", output=output, source=known.uri, files=len(known.files))
        return known
    _clear(output, there, known, wanted)
    log("fetching", source=wanted.uri, output=output, licence=wanted.licence)
    fetch(wanted, output)
    document = _describe(wanted, output, began)
    document.write(output)
    log("fetched", output=output, files=len(document.files), bytes=sum(file.bytes for file in document.files))
    return document


def _refuse_overlap(wanted: Origin, output: str) -> None:
    if wanted.folder is None or storage.is_remote(wanted.folder) != storage.is_remote(output):
        return
    target = output.rstrip("/") if storage.is_remote(output) else Path(output).resolve().as_posix()
    if f"{target}/".startswith(f"{wanted.uri}/"):
        raise InputError(f"{output} lies in the source {wanted.uri}: choose an --output outside it")


def _listing(output: str) -> Listing:
    if not storage.is_remote(output) and Path(output).is_file():
        raise InputError(f"{output} is a file: name a folder as --output")
    try:
        return {file.name: file for file in storage.list_files(output)}
    except storage.NotFoundError:
        return {}


def _is_current(known: Source, wanted: Origin, there: Listing) -> bool:
    """Whether the output is whole and the source hasn't changed since it was fetched."""
    for file in known.files:
        found = there.get(file.name)
        if found is None or found.bytes != file.bytes or found.crc32c not in (None, file.crc32c):
            return False
    if wanted.folder is None:
        same_names = [file.name for file in known.files] == [file.name for file in wanted.files]
        return same_names and known.files[0].sha256 == wanted.sha256
    described = {file.name: file for file in known.files}
    return len(described) == len(wanted.files) and all(
        _is_same(file, described.get(file.name), known, wanted) for file in wanted.files
    )


def _is_same(file: FileInfo, described: SourceFile | None, known: Source, wanted: Origin) -> bool:
    if described is None or file.bytes != described.bytes or wanted.sha256 != described.sha256:
        return False
    if file.crc32c is not None:
        return file.crc32c == described.crc32c
    # A local file's checksum costs a read of it; that it is no younger than the copy is nearly as good.
    return Path(str(wanted.folder), file.name).stat().st_mtime <= known.fetched_at.timestamp()


def _clear(output: str, there: Listing, known: Source | None, wanted: Origin) -> None:
    """Take back the promise of `source.json`, and what the source no longer has; refuse what isn't ours."""
    ours = {file.name for file in wanted.files} | {Source.file_name}
    stale = {file.name for file in known.files} - ours if known else set()
    strangers = sorted(set(there) - ours - stale)
    if strangers:
        raise InputError(
            f"{output} holds {strangers[0]}, which isn't of {wanted.uri}: choose another --output, "
            "or delete that folder"
        )
    for name in [Source.file_name, *stale]:
        storage.delete(storage.join(output, name))


def _describe(wanted: Origin, output: str, began: datetime) -> Source:
    there = _listing(output)
    return Source(
        dataset=storage.last_part(output),
        uri=wanted.uri,
        licence=wanted.licence,
        citation=wanted.citation,
        fetched_at=began,
        files=tuple(_describe_file(there[file.name], wanted, output) for file in wanted.files),
    )


def _describe_file(file: FileInfo, wanted: Origin, output: str) -> SourceFile:
    crc32c = file.crc32c or storage.checksum(Path(output, file.name))
    return SourceFile(name=file.name, bytes=file.bytes, crc32c=crc32c, sha256=wanted.sha256)


if __name__ == "__main__":
    run_app(app, "python -m datapipeline.download.dataloader")
