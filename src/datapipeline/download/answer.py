"""What an HTTP answer says of the body: its length, its validators, and which part of it follows."""

import re
from datetime import timedelta
from email.utils import parsedate_to_datetime

import requests

from datapipeline.download.partial import State

_PART = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)$")


def describe(response: requests.Response, uri: str) -> State:
    """Describe the body that an answer 200 carries."""
    etag = response.headers.get("ETag", "")
    return State(
        uri=uri,
        etag=etag if etag.startswith('"') else None,
        last_modified=_last_modified(response),
        total=total(response),
    )


def continues(response: requests.Response, state: State, offset: int) -> bool:
    """Whether an answer 206 carries the bytes from `offset` on, of the body that `state` describes."""
    start, of = _part(response)
    same_total = None in (of, state.total) or of == state.total
    return start == offset and same_total and not _is_another(response, state)


def total(response: requests.Response) -> int | None:
    """Bytes of the whole body, as an answer 200 or 206 states them."""
    if response.status_code == requests.codes.partial_content:
        return _part(response)[1]
    return _number(response.headers.get("Content-Length"))


def is_whole(response: requests.Response, state: State, offset: int) -> bool:
    """Whether an answer 416 says that the `offset` bytes that are there are all of that body."""
    _, of = _part(response)
    return offset == (state.total if of is None else of) and not _is_another(response, state)


def _is_another(response: requests.Response, state: State) -> bool:
    """Whether an answer names a validator, and another one than the body's; servers may leave it out."""
    if state.etag:
        return response.headers.get("ETag", state.etag) != state.etag
    if state.last_modified:
        return response.headers.get("Last-Modified", state.last_modified) != state.last_modified
    return False


def _part(response: requests.Response) -> tuple[int | None, int | None]:
    """First byte and total of Content-Range, each None where it isn't told."""
    match = _PART.match(response.headers.get("Content-Range", ""))
    return (_number(match[1]), _number(match[3])) if match else (None, None)


def _last_modified(response: requests.Response) -> str | None:
    """Last-Modified where it is a strong validator (RFC 9110, 8.8.2.2): no later change has the same."""
    stated, now = response.headers.get("Last-Modified"), response.headers.get("Date")
    if not stated or not now:
        return None
    try:
        is_strong = parsedate_to_datetime(now) - parsedate_to_datetime(stated) >= timedelta(seconds=1)
    except (ValueError, TypeError):  # no date, or one with and one without a time zone
        return None
    return stated if is_strong else None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 20 else None
