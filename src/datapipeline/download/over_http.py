"""Fetch a file over HTTP: resumed where it broke off, checked, and only then under its final name."""

import base64
import hashlib
from pathlib import Path

import google_crc32c

from contracts import storage
from contracts.console import log
from contracts.dataset import SourceFile
from contracts.scratch import scratch
from datapipeline.download.archive import check_archive, check_end
from datapipeline.download.origin import Origin
from datapipeline.download.partial import Partial
from datapipeline.download.transfer import transfer

_BLOCK = 1 << 20


def fetch_http(origin: Origin, output: str) -> SourceFile:
    """Fetch the file of `origin` into `output`; one that is there and has the stated sha256 stays.

    What has come of a file outlives a killed or failed run if the output is a local folder.

    Raises:
        InputError: the address doesn't exist, can't be reached, or gives no archive.
        StageError: the transfer failed, or its bytes aren't those that were stated.
    """
    name = origin.files[0].name
    if not storage.is_remote(output):
        return _fetch(origin, Path(output, name))
    with scratch() as folder:
        file = _fetch(origin, Path(folder, name))
        storage.upload(Path(folder, name), storage.join(output, name))
    return file


def _fetch(origin: Origin, target: Path) -> SourceFile:
    if origin.sha256 and target.is_file():
        there = describe_file(target)
        if _is_as_stated(there, origin):
            return there
    partial = Partial(target, origin.uri)
    try:
        file = _verified(origin, partial)
        partial.publish()
    finally:
        if not partial.size or not _can_go_on(partial, origin):
            partial.discard()
    return file


def _verified(origin: Origin, partial: Partial, *, again: bool = True) -> SourceFile:
    """Complete and check the partial; where pieces don't make the file, start `again`, once."""
    transfer(origin, partial)
    log("checking", file=origin.files[0].name, bytes=partial.size)
    file = describe_file(partial.path, origin.files[0].name)
    if not _is_as_stated(file, origin):
        in_pieces = partial.pieces > 1
        partial.discard()
        if not (in_pieces and again):
            raise mismatch(origin, file.bytes, str(file.sha256))
        log("the pieces that came aren't of one file: starting again", address=origin.uri)
        return _verified(origin, partial, again=False)
    try:
        if origin.sha256 is None:
            check_end(partial.path, origin.uri)
        check_archive(partial.path, origin.uri)
    except Exception:
        partial.discard()
        raise
    return file


def describe_file(path: Path, name: str | None = None) -> SourceFile:
    """Read a file once for both of its checksums."""
    sha256, crc32c = hashlib.sha256(), google_crc32c.Checksum()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            sha256.update(block)
            crc32c.update(block)
    return SourceFile(
        name=name or path.name,
        bytes=path.stat().st_size,
        crc32c=base64.b64encode(crc32c.digest()).decode(),
        sha256=sha256.hexdigest(),
    )


def mismatch(origin: Origin, size: int, sha256: str) -> storage.CorruptError:
    """The error for bytes that aren't those that were stated."""
    expected = f"{origin.files[0].bytes or size} bytes with sha256 {origin.sha256}"
    return storage.CorruptError(
        f"{origin.uri}: expected {expected}, got {size} with {sha256}: run the same command again; if that "
        "doesn't help, the source has changed, or what is stated is wrong"
    )


def _is_as_stated(file: SourceFile, origin: Origin) -> bool:
    stated = origin.files[0].bytes
    return stated in (0, file.bytes) and origin.sha256 in (None, file.sha256)


def _can_go_on(partial: Partial, origin: Origin) -> bool:
    """Whether a later run could ask for the rest of what is there."""
    return partial.state is not None and bool(partial.state.validator or origin.sha256)
