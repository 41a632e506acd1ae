"""Bring an origin's files into the output folder, each under its final name once it is whole and checked."""

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import requests
import urllib3

from contracts import storage
from contracts.console import log, progress
from contracts.errors import InputError, StageError
from datapipeline.download.origin import Origin, check_archive

_GROUP = 1000
"""Files that cross together; after each group the progress moves."""

_BLOCK = 1 << 20
_TIMEOUT = (10, 60)
_BREAKS = 3
"""How often a body may break off before we give up; what fails before one is repeated by urllib3."""

_RETRY = urllib3.Retry(
    total=4,
    backoff_factor=0.5,
    status_forcelist=[429, 500, 502, 503, 504],
    allowed_methods=["GET"],
    raise_on_status=False,
)


def fetch(origin: Origin, output: str) -> None:
    """Fetch every file of `origin` into `output`; whole ones that are there already stay.

    Raises:
        InputError: the address doesn't exist, can't be reached, or gives no archive.
        StageError: the transfer failed, or its bytes aren't those that the catalogue states.
    """
    if origin.folder is None:
        _fetch_http(origin, storage.join(output, origin.files[0].name))
        return
    names = [file.name for file in origin.files]
    if origin.sha256:
        _check_bytes(Path(origin.folder, names[0]), origin)
    for _ in progress(_copy(origin.folder, names, output), total=len(names), what="copying", unit="file"):
        pass


def _copy(folder: str, names: Sequence[str], output: str) -> Iterator[str]:
    for start in range(0, len(names), _GROUP):
        group = names[start : start + _GROUP]
        if not storage.is_remote(folder) and not storage.is_remote(output):
            rest = [name for name in group if not _linked(Path(folder, name), Path(output, name))]
            storage.download_many(folder, rest, Path(output))
        elif not storage.is_remote(folder):
            storage.upload_many(Path(folder), group, output)
        elif not storage.is_remote(output):
            storage.download_many(folder, group, Path(output))
        else:
            with tempfile.TemporaryDirectory(prefix="chrysalis-") as between:
                storage.download_many(folder, group, Path(between))
                storage.upload_many(Path(between), group, output)
        yield from group


def _linked(source: Path, target: Path) -> bool:
    """Give a file a second name, which costs neither space nor time; False where it has to be copied."""
    if target.is_file():
        return target.samefile(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:
        return False
    return True


def _fetch_http(origin: Origin, target: str) -> None:
    with storage.writing(target) as path:
        with requests.Session() as session:
            adapter = requests.adapters.HTTPAdapter(max_retries=_RETRY)
            session.mount("http://", adapter)
            session.mount("https://", adapter)
            _get(session, origin, path)
        _check_bytes(path, origin)
        check_archive(path, origin.uri)


def _get(session: requests.Session, origin: Origin, path: Path) -> None:
    for attempt in range(1, _BREAKS + 1):
        try:
            with _ask(session, origin) as response, path.open("wb") as file:
                for block in _blocks(response, origin):
                    file.write(block)
        except urllib3.exceptions.HTTPError as error:
            log("the transfer broke off", address=origin.uri, attempt=attempt, error=str(error))
            if attempt < _BREAKS:
                time.sleep(2**attempt)
        else:
            return
    raise StageError(f"{origin.uri} broke off {_BREAKS} times: run the same command again")


def _ask(session: requests.Session, origin: Origin) -> requests.Response:
    try:
        # As stored: a server that packs .tar.gz once more would break its checksum.
        headers = {"Accept-Encoding": "identity"}
        response = session.get(origin.address, stream=True, timeout=_TIMEOUT, headers=headers)
    except requests.RequestException as error:
        raise storage.UnreachableError(
            f"{origin.uri} can't be reached: check the address and the network ({_reason(error)})"
        ) from error
    if response.status_code >= 500 or response.status_code == 429:
        raise StageError(f"{origin.uri} answered {response.status_code} {response.reason}: try again later")
    if not response.ok:
        raise InputError(f"{origin.uri} answered {response.status_code} {response.reason}: check the address")
    return response


def _blocks(response: requests.Response, origin: Origin) -> Iterator[bytes]:
    stated = int(response.headers.get("Content-Length", 0)) or origin.files[0].bytes
    total = -(-stated // _BLOCK) or None
    blocks = response.raw.stream(_BLOCK, decode_content=False)
    return progress(blocks, total=total, what=f"downloading {origin.files[0].name}", unit="MiB")


def _check_bytes(path: Path, origin: Origin) -> None:
    """Compare a file with what the catalogue states of it, if it does."""
    if origin.sha256 is None:
        return
    with path.open("rb") as file:
        found = (path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())
    expected = (origin.files[0].bytes, origin.sha256)
    if found != expected:
        raise storage.CorruptError(
            f"{origin.uri}: expected {expected[0]} bytes with sha256 {expected[1]}, got {found[0]} with "
            f"{found[1]}: run the same command again; if that doesn't help, the source has changed"
        )


def _reason(error: BaseException) -> str:
    """The innermost reason of a chain of network errors, in one piece."""
    reason = getattr(error.args[0] if error.args else error, "reason", None) or error
    return str(reason).rpartition(": ")[2]
