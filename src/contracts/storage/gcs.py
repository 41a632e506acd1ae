"""Storage in Google Cloud Storage: `gs://bucket/name`.

An object appears whole or not at all. Its crc32c goes up with it, so that the server refuses other bytes, and
what comes down is compared with the one that the server stores. Bytes are those stored: an object with a
content encoding isn't decoded.
"""

import base64
import errno
import io
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from mimetypes import guess_type
from pathlib import Path
from typing import Any, BinaryIO

import google_crc32c
from google.cloud.storage import transfer_manager

from contracts.storage import gcs_access, local, uris
from contracts.storage.gcs_access import REQUEST, corrupt, translated
from contracts.storage.types import FileInfo, NotFoundError

CHUNK = 32 << 20
"""Bytes a request of a large upload or download: 1.5 times as fast as the client's default."""

READ_AHEAD = 4 << 20
"""Bytes that a ranged read fetches at least: many members of an archive, or one large one."""

THREADS = {"worker_type": transfer_manager.THREAD, "max_workers": 8}
"""Not processes: forking one that runs TensorFlow can hang it."""

_RAW = {"raw_download": True, "checksum": "crc32c", **REQUEST}
_LISTED = "items(name,size,crc32c,generation),nextPageToken"
_AT_ONCE = 64
"""Small files that are fetched and then published together: what a killed run loses at most."""


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
        kind = guess_type(uri)[0] or "application/octet-stream"
        blob.upload_from_string(
            data, kind, if_generation_match=if_generation_match, checksum="crc32c", **REQUEST
        )
    _check(uri, _checksum(data), blob.crc32c)
    return _info(blob, uris.last_part(uri))


def open_read(uri: str) -> BinaryIO:
    with translated(uri):
        return io.BufferedReader(_RangedReader(uri, _existing(uri)), READ_AHEAD)


@contextmanager
def writing(uri: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="chrysalis-") as folder:
        path = Path(folder, uris.last_part(uri))
        yield path
        upload(path, uri)


def download(uri: str, path: Path) -> None:
    with translated(uri):
        stored = _existing(uri)
        with local.writing(str(path)) as partial:
            if stored.size > 2 * CHUNK:
                _download_in_chunks(stored, partial)
            else:
                _blob(uri).download_to_filename(str(partial), **_RAW)
            _check(uri, local.checksum(partial), stored.crc32c)


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
    missing = [name for name in wanted if not _same(into / name, there[name])]
    for name in missing:
        if there[name].bytes > 2 * CHUNK:
            download(uris.join(folder, name), into / name)
    small = [name for name in missing if there[name].bytes <= 2 * CHUNK]
    for start in range(0, len(small), _AT_ONCE):
        _download_some(folder, {name: there[name] for name in small[start : start + _AT_ONCE]}, into)


def upload_many(source: Path, names: Iterable[str], folder: str) -> None:
    there = _below(folder)
    with translated(folder):
        differing = [name for name in names if not _same(source / name, there.get(name))]
        pairs = [(str(source / name), _blob(uris.join(folder, name), CHUNK)) for name in differing]
        options = {"checksum": "crc32c", **REQUEST}
        transfer_manager.upload_many(pairs, upload_kwargs=options, raise_exception=True, **THREADS)
    for name, (path, blob) in zip(differing, pairs, strict=True):
        _check(uris.join(folder, name), local.checksum(Path(path)), blob.crc32c)


def delete(uri: str) -> None:
    try:
        with translated(uri):
            _blob(uri).delete(**REQUEST)
    except NotFoundError:
        return


class _RangedReader(io.RawIOBase):
    """One generation of an object, read range by range; `io.BufferedReader` reads ahead for it."""

    def __init__(self, uri: str, blob: Any) -> None:
        self._uri, self._blob, self._position = uri, blob, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._blob.size}[whence]
        if start + offset < 0:
            raise OSError(errno.EINVAL, f"expected a position from 0 on, got {start + offset}")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        data = self._read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        return self._read(self._blob.size)

    def _read(self, count: int) -> bytes:
        end = min(self._position + count, self._blob.size)
        if end <= self._position:
            return b""
        blob = self._blob.bucket.blob(self._blob.name, generation=self._blob.generation)
        with translated(self._uri):
            data: bytes = blob.download_as_bytes(
                start=self._position, end=end - 1, raw_download=True, checksum=None, **REQUEST
            )
        self._position += len(data)
        return data


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


def _download_in_chunks(blob: Any, path: Path) -> None:
    options = {"raw_download": True, **REQUEST}
    transfer_manager.download_chunks_concurrently(blob, str(path), CHUNK, download_kwargs=options, **THREADS)


def _download_some(folder: str, files: dict[str, FileInfo], into: Path) -> None:
    with ExitStack() as publishing:
        partials = {name: publishing.enter_context(local.writing(str(into / name))) for name in files}
        pairs = [(_blob(uris.join(folder, name)), str(partial)) for name, partial in partials.items()]
        with translated(folder):
            transfer_manager.download_many(pairs, dict(_RAW), raise_exception=True, **THREADS)
        for name, partial in partials.items():
            _check(uris.join(folder, name), local.checksum(partial), files[name].crc32c)


def _same(path: Path, file: FileInfo | None) -> bool:
    """Whether a local file is there, and holds what the object (None: there is none) holds."""
    if file is None or not path.is_file():
        return False
    return path.stat().st_size == file.bytes and local.checksum(path) == file.crc32c


def _info(blob: Any, name: str) -> FileInfo:
    return FileInfo(name, int(blob.size), blob.crc32c, int(blob.generation))


def _checksum(data: bytes) -> str:
    return base64.b64encode(google_crc32c.Checksum(data).digest()).decode()


def _check(uri: str, ours: str, theirs: str | None) -> None:
    if ours != theirs:
        raise corrupt(uri)
