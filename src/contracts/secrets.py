"""Secrets of the environment: a variable, a mounted file, or Google Cloud's Secret Manager.

A secret NAME is the variable NAME; else what stands in the file that NAME_FILE names; else the version that
NAME_SECRET names (projects/P/secrets/S/versions/V), read with the account of this process, so that no job's
request needs to hold the secret itself. No value is ever logged, or part of an error.
"""

import base64
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from contracts.errors import InputError, StageError

if TYPE_CHECKING:
    import requests

ADDRESS: Final = "https://secretmanager.googleapis.com"
ROLE: Final = "roles/secretmanager.secretAccessor"

_ENDPOINT: Final = "CHRYSALIS_SECRETS_ENDPOINT"
_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_VERSION: Final = re.compile(r"(projects/[^/\s]+/secrets/[^/\s]+)(/versions/[^/\s]+)?")
_ATTEMPTS: Final = 4
_SECONDS: Final = 10.0
_PASSING: Final = (429, 500, 502, 503, 504)
"""Answers after which it is worth asking again."""


def secret(name: str) -> str | None:
    """Read a secret, without the white space around it; None: the environment names none, or it is empty.

    Args:
        name: as in `WANDB_API_KEY`.

    Raises:
        InputError: the file or the secret that the environment names can't be read.
        StageError: Secret Manager doesn't answer.
    """
    if value := os.environ.get(name, "").strip():
        return value
    if path := os.environ.get(f"{name}_FILE"):
        return _of_file(name, path)
    if version := os.environ.get(f"{name}_SECRET"):
        return secret_version(version, f"{name}_SECRET")
    return None


def _of_file(name: str, path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise InputError(
            f"{name}_FILE names {path}, which can't be read ({reason}): mount the key there, or unset it"
        ) from None


def secret_version(version: str, variable: str) -> str | None:
    """Read a version of a secret from Secret Manager; None: it is empty.

    Args:
        version: `projects/P/secrets/S/versions/V`; without the last two parts, the latest.
        variable: what named it, for the messages.

    Raises:
        InputError: it can't be read with this process' account, or there is none of that name.
        StageError: Secret Manager doesn't answer.
    """
    found = _VERSION.fullmatch(version)
    if found is None:
        raise InputError(
            f"expected {variable}=projects/PROJECT/secrets/SECRET/versions/VERSION; what it holds, perhaps "
            "the secret itself, isn't repeated here"
        )
    address = os.environ.get(_ENDPOINT) or ADDRESS
    url = f"{address.rstrip('/')}/v1/{found[1]}{found[2] or '/versions/latest'}:access"
    answer = _get(url, variable, version)
    if answer.status_code in (401, 403):
        raise InputError(
            f"{variable}: this process may not read {version}: give its service account {ROLE} on {found[1]}"
        )
    if answer.status_code in _PASSING:
        raise StageError(f"{variable}: Secret Manager answers {answer.status_code}: try again later")
    if not answer.ok:
        raise InputError(
            f"{variable}: {version} is no enabled version (Secret Manager answers {answer.status_code}): "
            f"gcloud secrets versions list {found[1].rpartition('/')[2]}"
        )
    return _payload(answer, variable)


def _get(url: str, variable: str, version: str) -> "requests.Response":
    import requests
    from google.auth.exceptions import GoogleAuthError
    from urllib3.util import Retry

    try:
        with _session(url, variable, version) as session:
            again = Retry(_ATTEMPTS, backoff_factor=0.3, status_forcelist=_PASSING, raise_on_status=False)
            session.mount(url, requests.adapters.HTTPAdapter(max_retries=again))
            return session.get(url, timeout=_SECONDS)
    except (requests.RequestException, GoogleAuthError) as error:
        raise StageError(
            f"{variable}: Secret Manager can't be reached ({type(error).__name__}): check the network, and "
            "that its API is enabled"
        ) from None


def _session(url: str, variable: str, version: str) -> "requests.Session":
    """What asks: with this process' credentials; none over http://, lest a token cross in the clear.

    Raises:
        InputError: there are none.
    """
    import requests

    if url.startswith("http://"):
        return requests.Session()
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError
    from google.auth.transport.requests import AuthorizedSession

    try:
        credentials, _ = google.auth.default(scopes=[_SCOPE])
    except (DefaultCredentialsError, AttributeError, TypeError, ValueError):  # the last: a file that is none
        raise InputError(
            f"{variable} names {version}, and there are no Google Cloud credentials to read it with: run "
            "`gcloud auth application-default login`, or unset it"
        ) from None
    session: requests.Session = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]
    return session


def _payload(answer: "requests.Response", variable: str) -> str | None:
    import google_crc32c

    try:
        payload: dict[str, Any] = answer.json()["payload"]
        data = base64.b64decode(payload.get("data", ""), validate=True)
        text = data.decode("utf-8").strip()
        checksum = int(payload.get("dataCrc32c") or google_crc32c.value(data))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise StageError(
            f"{variable}: Secret Manager's answer holds no text: store the key as text"
        ) from None
    if checksum != google_crc32c.value(data):
        raise StageError(f"{variable}: Secret Manager's answer came damaged: try again")
    return text or None
