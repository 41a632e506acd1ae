"""The way into a bucket: Google's client, once a process, and its errors in our words."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import requests
from google.api_core.exceptions import (
    Forbidden,
    GoogleAPICallError,
    NotFound,
    PreconditionFailed,
    RetryError,
    Unauthorized,
)
from google.auth.exceptions import GoogleAuthError
from google.cloud.storage import Client
from google.cloud.storage.exceptions import DataCorruption
from google.cloud.storage.retry import DEFAULT_RETRY

from contracts.storage.types import (
    ConflictError,
    CorruptError,
    ForbiddenError,
    NotFoundError,
    UnreachableError,
)

EMULATOR = "STORAGE_EMULATOR_HOST"

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")

TIMEOUT = (5, 60)
"""Seconds to wait for a connection and for an answer."""

REQUEST = {"timeout": TIMEOUT, "retry": DEFAULT_RETRY}
"""For every request once the bucket was reached: two minutes of attempts, to sit out a short failure."""

FIRST_RETRY = DEFAULT_RETRY.with_timeout(10)
"""For a bucket's first request: a wrong name or a missing network is told within seconds."""


def bucket(name: str) -> Any:
    """Give a bucket that answers; the first time in a process, it is asked for one name of its listing.

    Raises:
        UnreachableError: it doesn't exist or doesn't answer, or there are no credentials.
    """
    _check_name(name)
    return _reached(os.getpid(), os.environ.get(EMULATOR), name)


def unasked_bucket(name: str) -> Any:
    """Give a bucket that may not exist or not answer: nothing is asked yet.

    Raises:
        UnreachableError: it can't be a bucket's name, or there are no credentials.
    """
    _check_name(name)
    return client(os.getpid(), os.environ.get(EMULATOR)).bucket(name)


@contextmanager
def translated(uri: str) -> Iterator[None]:
    """Turn what Google's client raises about `uri` into the errors of `contracts.storage`."""
    try:
        yield
    except NotFound:
        raise NotFoundError(f"{uri} doesn't exist") from None
    except PreconditionFailed:
        raise ConflictError(f"{uri} was written by somebody else in the meantime") from None
    except DataCorruption as error:
        raise corrupt(uri) from error
    except (Forbidden, Unauthorized) as error:
        raise ForbiddenError(
            f"{uri}: the credentials don't open it (HTTP {error.code}): grant them the role Storage Object "
            "User on the bucket, or use others"
        ) from error
    except GoogleAPICallError as error:
        if "crc32c" in str(error).lower():
            raise corrupt(uri) from error
        raise UnreachableError(f"{uri}: Cloud Storage answered: {error}") from error
    except GoogleAuthError as error:
        raise UnreachableError(
            f"{uri}: no usable Google Cloud credentials ({error}): run gcloud auth application-default "
            "login, or set GOOGLE_APPLICATION_CREDENTIALS to a service account's key file"
        ) from error
    except (RetryError, requests.RequestException) as error:
        raise UnreachableError(
            f"{uri}: {os.environ.get(EMULATOR) or 'Cloud Storage'} doesn't answer: check the network"
            f"{f' and {EMULATOR}' if EMULATOR in os.environ else ''}, and run the same command again"
        ) from error


def corrupt(uri: str) -> CorruptError:
    """The error of bytes that don't have their object's checksum."""
    return CorruptError(
        f"{uri}: the bytes don't have the crc32c that they should: run the same command again"
    )


def _check_name(bucket: str) -> None:
    if not _BUCKET.fullmatch(bucket):
        raise UnreachableError(f"gs://{bucket} can't be a bucket: expected 3 to 222 of a-z 0-9 . - _")


@cache  # by process, since a connection doesn't survive a fork
def client(_pid: int, _emulator: str | None) -> Any:
    """Google's client of this process and this emulator."""
    # For its traces, which nobody asked for, the client would look each bucket up in a thread.
    os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
    made = Client(project=None)  # a project is only needed to create buckets
    made._http.max_redirects = 0  # Cloud Storage has none: what it sends elsewhere isn't asked for there
    return made


@cache
def _reached(pid: int, emulator: str | None, name: str) -> Any:
    uri = f"gs://{name}"
    try:
        with translated(uri):
            found = client(pid, emulator).bucket(name)
            # Not `exists`: that wants a permission on the bucket which the roles for objects don't give.
            next(
                iter(found.client.list_blobs(found, max_results=1, timeout=TIMEOUT, retry=FIRST_RETRY)), None
            )
    except NotFoundError:
        raise UnreachableError(f"there is no bucket {uri}: create it, or name another") from None
    return found
