"""A running server of ours, asked over HTTP."""

from collections.abc import Sequence
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, Retry
from urllib3.exceptions import InvalidHeader

from contracts.errors import InputError, StageError
from serving.remote import OF_AN_IMAGE, PARALLEL, Remote, said

TIMEOUT_S: Final = 60


class _Again(Retry):
    """A `Retry-After` that says nothing counts as none."""

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        try:
            return super().get_retry_after(response)
        except (InvalidHeader, ValueError, OverflowError):
            return None


RETRIES: Final = _Again(
    total=None,
    connect=0,
    read=0,
    redirect=0,
    other=0,
    status=6,
    status_forcelist=[503],
    allowed_methods=None,
    backoff_factor=0.5,
    retry_after_max=60,
    raise_on_status=False,
)
"""A server that is busy or starts says so by 503, and by Retry-After when to come again."""


class Client(Remote):
    """Asks one server; may be called from several threads."""

    def __init__(self, url: str, parameters: dict[str, Any], key: bytes | None = None) -> None:
        """Connect to nothing yet.

        Args:
            url: of the server, without a path.
            parameters: `top_k` and `threshold`; what is missing is the server's own.
            key: the API key, if the server wants one.

        Raises:
            InputError: the URL is none of http or https.
        """
        if not url.startswith(("http://", "https://")):
            raise InputError(f"expected --url as http://… or https://…, got {url!r}")
        super().__init__(url.rstrip("/"))
        self._parameters = parameters
        self._session = requests.Session()
        self._session.mount(self.name, HTTPAdapter(pool_maxsize=PARALLEL, max_retries=RETRIES))
        if key is not None:
            self._session.headers["X-API-Key"] = key

    def post(self, images: Sequence[bytes]) -> tuple[int, Any]:
        """Send a form with the images."""
        files = [("files", (f"{number}", image)) for number, image in enumerate(images)]
        try:
            answer = self._session.post(
                f"{self.name}/predict",
                files=files,
                data=self._parameters,
                timeout=TIMEOUT_S,
                allow_redirects=False,  # the key is for this server
            )
        except requests.RequestException as error:
            raise InputError(
                f"{self.name} can't be asked ({type(error).__name__}): is the server running?"
            ) from None
        if answer.status_code == requests.codes.unauthorized:
            wrong = (
                "doesn't take this API key" if "X-API-Key" in self._session.headers else "wants an API key"
            )
            raise InputError(f"{self.name} {wrong}: set CHRYSALIS_API_KEY, or CHRYSALIS_API_KEY_FILE")
        try:
            content = answer.json()
        except (ValueError, RecursionError):  # requests' own error is a ValueError
            raise self.stranger(f"it answered {answer.status_code} and no JSON") from None
        if answer.status_code not in (requests.codes.ok, *OF_AN_IMAGE):
            raise StageError(f"{self.name} answered {answer.status_code}: {said(content)}")
        return answer.status_code, content
