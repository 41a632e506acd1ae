"""Storage in Google Cloud Storage: `gs://bucket/name`.

An object appears whole or not at all (`gcs_transfer`). Bytes are those stored: an object with a content
encoding isn't decoded.
"""

import io
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from contracts.scratch import scratch
from contracts.storage import gcs_access, gcs_bounded, gcs_transfer, gcs_wire, local, uris
from contracts.storage.gcs_access import REQUEST, translated
from contracts.storage.gcs_reader import RangedReader
from contracts.storage.partials import tidy
from contracts.storage.types import ConflictError, FileInfo, NotFoundError

READ_AHEAD = 4 << 20
"""Bytes that a ranged read fetches at least: many members of an archive, or one large one."""

_LISTED = "items(name,size,crc32c,generation),nextPageToken"


def stat(uri: str) -> FileInfo:
    with translated(uri):
        return gcs_transfer.info(gcs_transfer.existing(uri))


def iter_files(folder: str) -> Iterator[FileInfo]:
    files = _walk(folder)
    first = next(files, None)
    if first is None:
        raise NotFoundError(f"{folder} doesn't exist: there is no object below it")
    return chain([first], files)


def read_bytes(uri: str) -> bytes:
    return gcs_transfer.read(uri)


def read_bounded(uri: str, max_bytes: int, timeout_s: float) -> bytes:
    return gcs_bounded.read(uri, max_bytes, timeout_s)


def write_bytes(uri: str, data: bytes, if_generation_match: int | None) -> FileInfo:
    return gcs_transfer.write(uri, data, if_generation_match)


def replace_bytes(uri: str, expected: bytes | None, data: bytes) -> None:
    generation = 0
    if expected is not None:
        # In this order: should another one come between, the generation is too old, and nothing is written.
        try:
            generation = stat(uri).generation
            same = read_bytes(uri) == expected
        except NotFoundError:
            same = False
        if not same:
            raise ConflictError(f"{uri} was written by somebody else in the meantime")
    write_bytes(uri, data, generation)


def open_read(uri: str) -> BinaryIO:
    with translated(uri):
        return io.BufferedReader(RangedReader(uri, gcs_transfer.existing(uri)), READ_AHEAD)


@contextmanager
def writing(uri: str, _durable: bool) -> Iterator[Path]:
    with scratch() as folder:
        path = Path(folder, uris.last_part(uri))
        yield path
        upload(path, uri)


def sync(_folder: str) -> None:
    return


def download(uri: str, path: Path) -> None:
    with local.writing(str(path)) as partial:
        gcs_transfer.receive(uri, partial)


def upload(path: Path, uri: str) -> FileInfo:
    return gcs_transfer.send(path, uri)


def download_many(folder: str, names: Iterable[str], into: Path) -> None:
    there = {file.name: file for file in _walk(folder)}
    wanted = list(names)
    for name in wanted:
        if name not in there:
            raise NotFoundError(f"{uris.join(folder, name)} doesn't exist")
    missing = [there[name] for name in wanted if not _same(into / name, there[name])]
    tidy({(into / file.name).parent for file in missing})
    for file in missing:
        if file.bytes > gcs_transfer.LARGE:  # its parts are parallel themselves
            download(uris.join(folder, file.name), into / file.name)
    rest = [file for file in missing if file.bytes <= gcs_transfer.LARGE]
    with ThreadPoolExecutor(gcs_wire.CONNECTIONS) as threads:
        for start in range(0, len(rest), local.TOGETHER):
            _download_some(folder, rest[start : start + local.TOGETHER], into, threads)


def upload_many(source: Path, names: Iterable[str], folder: str) -> None:
    there = {file.name: file for file in _walk(folder)}
    differing = [name for name in names if not _same(source / name, there.get(name))]
    with ThreadPoolExecutor(gcs_wire.CONNECTIONS) as threads:
        # The first error ends it: what hasn't begun by then isn't done.
        list(threads.map(lambda name: upload(source / name, uris.join(folder, name)), differing))


def delete(uri: str) -> None:
    try:
        with translated(uri):
            gcs_transfer.handle(uri).delete(**REQUEST)
    except NotFoundError:
        return


def _walk(folder: str) -> Iterator[FileInfo]:
    """The objects below a folder, page by page, without the markers that consoles make for folders."""
    bucket_name, name = uris.split_bucket(folder)
    prefix = f"{name.rstrip('/')}/" if name.strip("/") else ""
    with translated(folder):
        bucket = gcs_access.bucket(bucket_name)
        for blob in bucket.client.list_blobs(bucket, prefix=prefix, fields=_LISTED, **REQUEST):
            if not blob.name.endswith("/"):
                yield gcs_transfer.info(blob)._replace(name=blob.name.removeprefix(prefix))


def _download_some(folder: str, files: list[FileInfo], into: Path, threads: Executor) -> None:
    uri = [uris.join(folder, file.name) for file in files]
    with local.writing_many([into / file.name for file in files]) as partials:
        list(threads.map(gcs_transfer.receive, uri, partials, files))


def _same(path: Path, file: FileInfo | None) -> bool:
    """Whether a local file is there, and holds what the object (None: there is none) holds."""
    if file is None or not path.is_file():
        return False
    return path.stat().st_size == file.bytes and local.checksum(path) == file.crc32c
