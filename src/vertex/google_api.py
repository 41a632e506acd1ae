"""Google's REST services: questions that only read, with the machine's credentials."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from vertex.client import credentials

if TYPE_CHECKING:
    from google.auth.transport.requests import AuthorizedSession
    from requests import Response, Session

SECONDS: Final = 10.0
NOT_FOUND: Final = 404

GOOGLES: Final = (".googleapis.com", ".pkg.dev", "gcr.io")
"""What hosts that are sent a token end in: a registry or an emulator may be anybody's."""


class UnansweredError(Exception):
    """A service can't be reached, or fails; the message says what to do."""


class RefusedError(Exception):
    """A service answered that it won't: `code` is HTTP's, `reason` Google's own word for it."""

    def __init__(self, code: int, message: str, reason: str) -> None:
        super().__init__(f"HTTP {code}: {message}")
        self.code = code
        self.reason = reason


@dataclass(frozen=True)
class Google:
    """The services: each at its host, or all of them at one other address."""

    session: "AuthorizedSession"
    endpoint: str | None = None

    def get(self, host: str, path: str, **query: Any) -> dict[str, Any]:
        """What is at `path` of `host`.

        Raises:
            RefusedError: the service says no.
            UnansweredError: it doesn't answer.
        """
        return _document(self.send("GET", f"{self.endpoint or f'https://{host}'}{path}", params=query))

    def post(self, host: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """As `get`, for questions that have a body."""
        return _document(self.send("POST", f"{self.endpoint or f'https://{host}'}{path}", json=body))

    def send(self, method: str, address: str, **options: Any) -> "Response":
        """Send any request, and give whatever answer comes.

        Raises:
            UnansweredError: none came.
        """
        import requests
        from google.auth.exceptions import GoogleAuthError, TransportError

        try:
            send: Any = self._session(address).request
            answer: Response = send(method, address, timeout=SECONDS, **options)
        except (requests.RequestException, TransportError) as error:
            raise UnansweredError(
                f"{address.partition('?')[0]} doesn't answer ({type(error).__name__}): check the network"
            ) from error
        except GoogleAuthError as error:
            raise UnansweredError(
                f"{error}; renew the credentials: gcloud auth application-default login"
            ) from error
        return answer

    def _session(self, address: str) -> "Session":
        """With the credentials for Google's hosts and the endpoint that was given; without for all others."""
        import requests

        host = address.removeprefix("https://").partition("/")[0]
        trusted = host.endswith(GOOGLES) or bool(self.endpoint and address.startswith(self.endpoint))
        return self.session if address.startswith("https://") and trusted else requests.Session()


def connect(project: str | None, endpoint: str | None) -> Google:
    """Connect with the machine's credentials; questions about quotas are billed to `project`.

    Raises:
        InputError: there are no credentials.
    """
    from google.auth.transport.requests import AuthorizedSession
    from google.oauth2.credentials import Credentials

    found = credentials(endpoint or "https://")
    if isinstance(found, Credentials) and project and not found.quota_project_id:
        found = found.with_quota_project(project)
    return Google(AuthorizedSession(found), endpoint)  # type: ignore[no-untyped-call]


def _document(response: "Response") -> dict[str, Any]:
    try:
        document = response.json()
    except ValueError:
        document = {}
    if response.ok and isinstance(document, dict):
        return document
    error = document.get("error") if isinstance(document, dict) else None
    details = error if isinstance(error, dict) else {}
    message = details.get("message") or response.reason or "no reason"
    if response.status_code >= 500 or response.ok:
        raise UnansweredError(
            f"{response.url.partition('?')[0]}: HTTP {response.status_code}: {message}; try again later"
        )
    parts = details.get("details") or []
    reasons = [str(part.get("reason", "")) for part in parts if isinstance(part, dict)]
    raise RefusedError(response.status_code, message, next(filter(None, reasons), details.get("status", "")))
