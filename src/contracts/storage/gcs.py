"""Storage in Google Cloud Storage: `gs://bucket/name`.

An object appears whole or not at all. Its crc32c goes up with it, so that the server refuses other bytes, and
what comes down is compared with the one that the server stores. Bytes are those stored: an object with a
content encoding isn't decoded.
"""

import base64
import io
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from mimetypes import guess_type
from pathlib import Path
from typing import Any, BinaryIO

import google_crc32c
from google.cloud.storage import transfer_manager

from contracts.storage import gcs_access, gcs_wire, local, uris
from contracts.storage.gcs_access import REQUEST, corrupt, translated
from contracts.storage.gcs_reader import RangedReader
from contracts.storage.partials import tidy
from contracts.storage.types import FileInfo, NotFoundError

CHUNK = 32 << 20
"""Bytes a request of a large upload or download: 1.5 times as fast as the client's default."""

READ_AHEAD = 4 << 20
"""Bytes that a ranged read fetches at least: many members of an archive, or one large one."""

THREADS = {"worker_type": transfer_manager.THREAD, "max_workers": 8}
"""Not processes: forking one that runs TensorFlow can hang it."""

_RAW = {"raw_download": True, "checksum": "crc32c", **REQUEST}
_LISTED = "items(name,size,crc32c,generation),nextPageToken"


def stat(uri: str) -> FileInfo:
    with translated(uri):
        return _info(_existing(uri), uris.last_part(uri))


def iter_files(folder: str) -> Iterator[FileInfo]:
    files = _walk(folder)
    first = next(files, None)
    if first is None:
        raise NotFoundError(f"{folder} doesn't exist: there is no object below it")
    return chain([first], files)


def read_bytes(uri: str) -> bytes:
    with translated(uri):
        blob = _blob(uri)
        data: bytes = blob.download_as_bytes(**_RAW)
        if blob.crc32c is None:  # a proxy or an emulator can leave the header out
            blob.reload(**REQUEST)
    _check(uri, _checksum(data), blob.crc32c)
    return data


def write_bytes(uri: str, data: bytes, if_generation_match: int | None) -> FileInfo:
    with translated(uri):
        blob = _blob(uri)
        blob.upload_from_string(
            data, _kind(uri), if_generation_match=if_generation_match, checksum="crc32c", **REQUEST
        )
    _check(uri, _checksum(data), blob.crc32c)
    return _info(blob, uris.last_part(uri))


def open_read(uri: str) -> BinaryIO:
    with translated(uri):
        return io.BufferedReader(RangedReader(uri, _existing(uri)), READ_AHEAD)


@contextmanager
def writing(uri: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="chrysalis-") as folder:
        path = Path(folder, uris.last_part(uri))
        yield path
        upload(path, uri)


def download(uri: str, path: Path) -> None:
    with local.writing(str(path)) as partial:
        _receive(uri, partial)


def upload(path: Path, uri: str) -> FileInfo:
    with translated(uri):
        blob = _blob(uri, CHUNK)
        blob.upload_from_filename(str(path), checksum="crc32c", **REQUEST)
    _check(uri, local.checksum(path), blob.crc32c)
    return _info(blob, uris.last_part(uri))


def download_many(folder: str, names: Iterable[str], into: Path) -> None:
    there = _below(folder)
    wanted = list(names)
    for name in wanted:
        if name not in there:
            raise NotFoundError(f"{uris.join(folder, name)} doesn't exist")
    missing = [there[name] for name in wanted if not _same(into / name, there[name])]
    for file in (
        file for file in missing if file.bytes > 2 * CHUNK
    ):  # in chunks, which are parallel themselves
        download(uris.join(folder, file.name), into / file.name)
    tidy({(into / file.name).parent for file in missing})
    rest = [file for file in missing if file.bytes <= 2 * CHUNK]
    with ThreadPoolExecutor(gcs_wire.CONNECTIONS) as threads:
        for start in range(0, len(rest), local.TOGETHER):
            _download_some(folder, rest[start : start + local.TOGETHER], into, threads)


def upload_many(source: Path, names: Iterable[str], folder: str) -> None:
    there = _below(folder)
    differing = [name for name in names if not _same(source / name, there.get(name))]
    with ThreadPoolExecutor(gcs_wire.CONNECTIONS) as threads:
        # The first error ends it: what hasn't begun by then isn't done.
        list(threads.map(lambda name: _send(source / name, uris.join(folder, name)), differing))


def delete(uri: str) -> None:
    try:
        with translated(uri):
            _blob(uri).delete(**REQUEST)
    except NotFoundError:
        return


def _blob(uri: str, chunk: int | None = None) -> Any:
    """The handle of an object that may not exist; `chunk` is for uploads: it leaves a download unchecked."""
    bucket, name = uris.split_bucket(uri)
    if not name:
        raise NotFoundError(f"{uri} is a bucket: name a file in it")
    return gcs_access.bucket(bucket).blob(name, chunk_size=chunk)


def _existing(uri: str) -> Any:
    blob = _blob(uri)
    blob.reload(**REQUEST)
    # Else it is downloaded by that link, and an emulator's has the address that whoever uploaded it knew.
    blob._properties.pop("mediaLink", None)
    return blob


def _walk(folder: str) -> Iterator[FileInfo]:
    """The objects below a folder, page by page, without the markers that consoles make for folders."""
    bucket_name, name = uris.split_bucket(folder)
    prefix = f"{name.rstrip('/')}/" if name.strip("/") else ""
    with translated(folder):
        bucket = gcs_access.bucket(bucket_name)
        for blob in bucket.client.list_blobs(bucket, prefix=prefix, fields=_LISTED, **REQUEST):
            if not blob.name.endswith("/"):
                yield _info(blob, blob.name.removeprefix(prefix))


def _below(folder: str) -> dict[str, FileInfo]:
    """The objects below a folder by relative name."""
    return {file.name: file for file in _walk(folder)}


def _receive(uri: str, path: Path) -> None:
    with translated(uri):
        stored = _existing(uri)
        if stored.size > 2 * CHUNK:
            _download_in_chunks(stored, path)
        else:
            _blob(uri).download_to_filename(str(path), **_RAW)
    _check(uri, local.checksum(path), stored.crc32c)


def _download_in_chunks(blob: Any, path: Path) -> None:
    options = {"raw_download": True, **REQUEST}
    transfer_manager.download_chunks_concurrently(blob, str(path), CHUNK, download_kwargs=options, **THREADS)


def _download_some(folder: str, files: list[FileInfo], into: Path, threads: Executor) -> None:
    with local.writing_many([into / file.name for file in files]) as partials:
        list(threads.map(lambda file, partial: _fetch(folder, file, partial), files, partials))


def _fetch(folder: str, file: FileInfo, path: Path) -> None:
    """Copy an object to a temporary file."""
    uri, data = uris.join(folder, file.name), None
    if file.bytes <= gcs_wire.SMALL:
        with translated(uri):
            data = gcs_wire.get(*uris.split_bucket(uri))
    if data is not None and _checksum(data) == file.crc32c:
        path.write_bytes(data)
    else:
        _receive(uri, path)


def _send(path: Path, uri: str) -> None:
    if path.stat().st_size <= gcs_wire.SMALL:
        data = path.read_bytes()
        crc32c = _checksum(data)
        with translated(uri):
            stored = gcs_wire.put(*uris.split_bucket(uri), _kind(uri), data, crc32c)
        if stored is not None and stored.crc32c == crc32c:
            return
    upload(path, uri)


def _same(path: Path, file: FileInfo | None) -> bool:
    """Whether a local file is there, and holds what the object (None: there is none) holds."""
    if file is None or not path.is_file():
        return False
    return path.stat().st_size == file.bytes and local.checksum(path) == file.crc32c


def _info(blob: Any, name: str) -> FileInfo:
    return FileInfo(name, int(blob.size), blob.crc32c, int(blob.generation))


def _kind(uri: str) -> str:
    return guess_type(uri)[0] or "application/octet-stream"


def _checksum(data: bytes) -> str:
    return base64.b64encode(google_crc32c.Checksum(data).digest()).decode()


def _check(uri: str, ours: str, theirs: str | None) -> None:
    if ours != theirs:
        raise corrupt(uri)
