"""Google's own clients, as every command here makes them: over REST, with the machine's credentials."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

from contracts.errors import InputError, StageError
from vertex.settings import Settings

if TYPE_CHECKING:
    from google.api_core.retry import Retry
    from google.auth.credentials import Credentials

Answer = TypeVar("Answer")
Client = TypeVar("Client")

SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
REQUEST_SECONDS: Final = 60.0
FIRST_LOOK_SECONDS = 1.0
LAST_LOOK_SECONDS = 15.0
BUSY_SECONDS: Final = 20.0
LONGEST_REASON: Final = 500
"""In characters."""
OUTAGE_SECONDS: Final = 600.0
"""How long watching survives a network or a service that is away; what is watched doesn't notice."""


def connect(kind: type[Client], settings: Settings) -> Client:
    """Make one of aiplatform_v1's clients. It speaks REST, the same to the service and to a stand-in.

    Raises:
        InputError: there are no credentials on this machine.
    """
    make: Any = kind
    client: Client = make(
        credentials=credentials(settings.api_endpoint),
        transport="rest",
        client_options={"api_endpoint": settings.api_endpoint},
    )
    return client


def credentials(address: str) -> "Credentials":
    """Application Default Credentials; none for an http:// address, as no token crosses a wire in the clear.

    Raises:
        InputError: there are none on this machine.
    """
    import google.auth
    from google.auth.credentials import AnonymousCredentials, Credentials
    from google.auth.exceptions import DefaultCredentialsError

    if address.startswith("http://"):
        return AnonymousCredentials()  # type: ignore[no-untyped-call]
    found: Credentials
    try:
        found, _ = google.auth.default(scopes=[SCOPE])
    except (
        DefaultCredentialsError,
        AttributeError,
        TypeError,
        ValueError,
    ) as error:  # a file of another form
        raise InputError(
            "no Google Cloud credentials: run `gcloud auth application-default login`, or set "
            f"GOOGLE_APPLICATION_CREDENTIALS to a key's path ({error})"
        ) from error
    return found


def patience(tell: Callable[[Exception], None] | None = None) -> "Retry":
    """How requests that only read are tried again; `tell` hears of each failure that is."""
    import requests
    from google.api_core import exceptions, retry
    from google.auth.exceptions import TransportError

    transient = retry.if_exception_type(
        exceptions.ServerError,
        exceptions.TooManyRequests,
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,  # a connection that broke within an answer
        TransportError,
    )
    return retry.Retry(predicate=transient, maximum=30.0, timeout=OUTAGE_SECONDS, on_error=tell)


def briefly() -> "Retry":
    """How what a command begins with is tried again: not where nothing answers, which a person can mend."""
    from google.api_core import exceptions, retry

    busy = retry.if_exception_type(exceptions.ServerError, exceptions.TooManyRequests)
    return retry.Retry(predicate=busy, maximum=5.0, timeout=BUSY_SECONDS)


def named(answer: Answer) -> Answer:
    """Check that an answer is a resource or an operation, which has a name to ask for it by.

    Raises:
        ValueError: it is something else; `explained` says so.
    """
    name: str = getattr(answer, "name", "")
    if not re.fullmatch(r"projects/[^/]+/locations/[^/]+(/[^/]+/[^/]+)+", name):
        raise ValueError(f"expected a resource's name in it, got {name!r}")
    return answer


def brief(error: object) -> str:
    """An error's text, or its beginning: that of a proxy may be a whole page."""
    text = str(error)
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]} …"


def enum_name(value: Any) -> str:
    """What an enum is called; its number, where the service knows more of them than the client."""
    return str(getattr(value, "name", value))


class Pauses:
    """The times between two looks at something: longer and longer while nothing changes."""

    def __init__(self) -> None:
        self._next = FIRST_LOOK_SECONDS

    def again(self) -> None:
        """Begin with short ones: something has changed."""
        self._next = FIRST_LOOK_SECONDS

    def sleep(self) -> None:
        """Wait until the next look."""
        time.sleep(self._next)
        self._next = min(self._next * 1.5, LAST_LOOK_SECONDS)


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turn the clients' errors into ours: what the caller can mend is an InputError."""
    import requests
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError, TransportError
    from google.protobuf.json_format import ParseError

    try:
        yield
    except (InputError, StageError):
        raise
    except (exceptions.ServerError, exceptions.TooManyRequests, exceptions.RetryError) as error:
        raise StageError(f"{doing}: {brief(error)}; try again later") from error
    except exceptions.GoogleAPICallError as error:
        raise InputError(f"{doing}: Vertex AI refused: {brief(error)}") from error
    except TransportError as error:
        raise StageError(f"{doing}: Google can't be reached ({brief(error)}); check the network") from error
    except GoogleAuthError as error:
        raise InputError(
            f"{doing}: {brief(error)}; renew the credentials: gcloud auth application-default login"
        ) from error
    except requests.RequestException as error:
        raise StageError(
            f"{doing}: the service can't be reached ({brief(error)}); check the network"
        ) from error
    except (ParseError, AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        # Google's clients take an answer's form for granted; a proxy's page has another.
        raise StageError(f"{doing}: the service's answer can't be read ({brief(error)})") from error
