"""Bring one body over HTTP into a `Partial`, from where it broke off, however often that takes."""

import errno
import shutil
from collections.abc import Iterator
from typing import BinaryIO

import requests
import urllib3
from requests.adapters import HTTPAdapter

from contracts import storage
from contracts.console import log, progress
from contracts.errors import InputError, StageError
from datapipeline.download import answer, patience
from datapipeline.download.origin import Origin
from datapipeline.download.partial import Partial
from datapipeline.download.patience import Effort

_BLOCK = 1 << 20
_BUSY = 500
_OUT_OF_SPACE = (errno.ENOSPC, errno.EDQUOT)


class _BrokeError(Exception):
    """The body didn't come to its end, so the server is asked again."""


class _BusyError(_BrokeError):
    """The server is there, but gave no body."""


def transfer(origin: Origin, partial: Partial) -> None:
    """Complete `partial`; what it holds already isn't asked for again where the server lets us be sure of it.

    Raises:
        InputError: the address doesn't exist or can't be reached.
        StageError: the server is busy, breaks off again and again, or holds something of another size; or the
            disk is full. What has come stays.
    """
    how = patience.PATIENCE
    effort = Effort(origin.uri, partial.size, how)
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=how.ask))
        session.mount("https://", HTTPAdapter(max_retries=how.ask))
        heard = False
        while True:
            try:
                with _ask(session, origin, partial) as response:
                    heard = heard or not _is_busy(response)
                    return _take(response, origin, partial)
            except _BusyError as error:
                if not heard:
                    raise StageError(f"{error}: try again later") from None
                effort.broke(partial.size, error)
            except (urllib3.exceptions.HTTPError, requests.RequestException, _BrokeError) as error:
                if not heard:
                    raise _unheard(origin, error) from error
                effort.broke(partial.size, error)


def _ask(session: requests.Session, origin: Origin, partial: Partial) -> requests.Response:
    # As stored: a server that packs .tar.gz once more would break its checksum.
    headers = {"Accept-Encoding": "identity", **_range(origin, partial)}
    try:
        return session.get(origin.address, stream=True, timeout=patience.PATIENCE.timeout, headers=headers)
    except requests.RequestException:
        raise
    except ValueError as error:  # urllib's answer to an address that is none
        raise StageError(f"{origin.uri} leads to an address that can't be used: {error}") from error


def _range(origin: Origin, partial: Partial) -> dict[str, str]:
    if partial.state is None or not partial.size:
        return {}
    if partial.state.validator:
        return {"Range": f"bytes={partial.size}-", "If-Range": partial.state.validator}
    if origin.sha256:  # which will tell if the pieces aren't of one body
        return {"Range": f"bytes={partial.size}-"}
    return {}


def _take(response: requests.Response, origin: Origin, partial: Partial) -> None:
    """Do what an answer tells to: begin, go on, or see that all is there."""
    status = response.status_code
    if status == requests.codes.ok:
        _check_total(answer.total(response), origin)
        if partial.size:
            log("starting over: the server gives no part of it", address=origin.uri, bytes=partial.size)
        partial.begin(answer.describe(response, origin.uri))
    elif status == requests.codes.partial_content and partial.state is not None and partial.size:
        if not answer.continues(response, partial.state, partial.size):
            partial.discard()
            raise _BrokeError("the file changed midway")
        log("going on", address=origin.uri, bytes=partial.size, of=partial.state.total)
    elif status == requests.codes.range_not_satisfiable and partial.state is not None and partial.size:
        if answer.is_whole(response, partial.state, partial.size):
            return
        partial.discard()
        raise _BrokeError("the file changed midway")
    else:
        raise _refusal(response, origin)
    _receive(response, origin, partial)


def _receive(response: requests.Response, origin: Origin, partial: Partial) -> None:
    total = answer.total(response)
    if total is None and partial.state is not None:  # "bytes 5-9/*"
        total = partial.state.total
    _check_room(partial, total)
    left = None if total is None else -(-(total - partial.size) // _BLOCK)
    try:
        with partial.append() as file:
            for _ in progress(
                _arriving(response, file), total=left, what=f"downloading {origin.files[0].name}", unit="MiB"
            ):
                pass
    except OSError as error:
        if error.errno in _OUT_OF_SPACE:
            raise _no_room(partial, total) from error
        raise
    if total is not None and partial.size > total:
        partial.discard()
        raise _BrokeError(f"more than the {total} bytes came that the server had told")
    if total is not None and partial.size < total:
        raise _BrokeError(f"{partial.size} of {total} bytes came")


def _arriving(response: requests.Response, file: BinaryIO) -> Iterator[None]:
    """Write what comes at once, so that a kill loses next to nothing; yield for each mebibyte."""
    waiting = 0
    while data := response.raw.read1(_BLOCK, decode_content=False):
        file.write(data)
        file.flush()
        waiting += len(data)
        for _ in range(waiting // _BLOCK):
            yield
        waiting %= _BLOCK
    if waiting:
        yield


def _check_total(total: int | None, origin: Origin) -> None:
    expected = origin.files[0].bytes
    if expected and total is not None and total != expected:
        raise storage.CorruptError(
            f"{origin.uri}: expected {expected} bytes, the server has {total}: the source has changed; fetch "
            "it by its address if you want it as it is now"
        )


def _check_room(partial: Partial, total: int | None) -> None:
    if total is not None and shutil.disk_usage(partial.path.parent).free < total - partial.size:
        raise _no_room(partial, total)


def _no_room(partial: Partial, total: int | None) -> StageError:
    wanted = "more" if total is None else f"{total - partial.size} bytes more"
    return StageError(
        f"{partial.path.parent} has no room for {wanted}: make some and run the same command again, which "
        f"goes on after the {partial.size} bytes that are there"
    )


def _refusal(response: requests.Response, origin: Origin) -> Exception:
    said = f"{origin.uri} answered {response.status_code} {response.reason}"
    return _BusyError(said) if _is_busy(response) else InputError(f"{said}: check the address")


def _is_busy(response: requests.Response) -> bool:
    return response.status_code >= _BUSY or response.status_code == requests.codes.too_many_requests


def _unheard(origin: Origin, error: Exception) -> Exception:
    return storage.UnreachableError(
        f"{origin.uri} can't be reached: check the address and the network ({_reason(error)})"
    )


def _reason(error: BaseException) -> str:
    """The innermost reason of a chain of network errors, in one piece."""
    reason = getattr(error.args[0] if error.args else error, "reason", None) or error
    return str(reason).rpartition(": ")[2]
