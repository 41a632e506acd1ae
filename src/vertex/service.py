"""The conversation with Vertex AI's job service: create a job, and watch it until it ends."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from contracts.console import log
from contracts.errors import InputError, StageError
from vertex.settings import Settings

if TYPE_CHECKING:
    from google.api_core.retry import Retry
    from google.cloud.aiplatform_v1 import JobServiceClient
    from google.cloud.aiplatform_v1.types import CustomJob

REQUEST_SECONDS = 60.0
FIRST_LOOK_SECONDS = 1.0
LAST_LOOK_SECONDS = 15.0
OUTAGE_SECONDS = 600.0
"""How long watching survives a network or a service that is away; the job doesn't notice."""

ENDED = ("SUCCEEDED", "PARTIALLY_SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED")


def connect(settings: Settings) -> "JobServiceClient":
    """Make the client. It speaks REST, the same to the service and to the tests' stand-in.

    Raises:
        InputError: there are no credentials on this machine.
    """
    import google.auth
    from google.auth.credentials import AnonymousCredentials, Credentials
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud.aiplatform_v1 import JobServiceClient

    credentials: Credentials
    try:
        if settings.api_endpoint.startswith("http://"):
            # A token never crosses a wire in the clear.
            credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
        else:
            credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    except DefaultCredentialsError as error:
        raise InputError(
            "no Google Cloud credentials: run `gcloud auth application-default login`, or set "
            f"GOOGLE_APPLICATION_CREDENTIALS to a key's path ({error})"
        ) from error
    return JobServiceClient(
        credentials=credentials, transport="rest", client_options={"api_endpoint": settings.api_endpoint}
    )


def create(client: "JobServiceClient", settings: Settings, job: "CustomJob") -> "CustomJob":
    """Submit a job. Not retried: a second try could start a second job."""
    with _explained(f"submitting to {settings.api_endpoint}"):
        return client.create_custom_job(parent=settings.parent, custom_job=job, timeout=REQUEST_SECONDS)


def follow(client: "JobServiceClient", job: "CustomJob") -> None:
    """Report a job's states until it ends.

    Raises:
        StageError: it ended otherwise than well; the message is the job's own.
    """
    started, pause, seen = time.monotonic(), FIRST_LOOK_SECONDS, ""
    while True:
        with _explained("watching the job, which goes on"):
            job = client.get_custom_job(name=job.name, retry=_patience(), timeout=REQUEST_SECONDS)
        state = job.state.name.removeprefix("JOB_STATE_")
        if state != seen:
            seen, pause = state, FIRST_LOOK_SECONDS
            log("job", state=state, seconds=round(time.monotonic() - started))
        if state in ENDED:
            break
        time.sleep(pause)
        pause = min(pause * 1.5, LAST_LOOK_SECONDS)
    if state != "SUCCEEDED":
        reason = job.error.message or "the service gives no reason"
        raise StageError(f"job {job.display_name} {state}: {reason} (logs: {console_link(job)})")


def console_link(job: "CustomJob") -> str:
    """The job's page, with its logs, in the Google Cloud console."""
    _, project, _, region, _, number = job.name.split("/")
    return (
        f"https://console.cloud.google.com/vertex-ai/locations/{region}/training/{number}?project={project}"
    )


def _patience() -> "Retry":
    import requests
    from google.api_core import exceptions, retry
    from google.auth.exceptions import TransportError

    transient = retry.if_exception_type(
        exceptions.ServerError,
        exceptions.TooManyRequests,
        requests.ConnectionError,
        requests.Timeout,
        TransportError,
    )
    return retry.Retry(predicate=transient, maximum=30.0, timeout=OUTAGE_SECONDS)


@contextmanager
def _explained(doing: str) -> Iterator[None]:
    """Turn the client's errors into ours: what the caller can mend is an InputError."""
    import requests
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except (exceptions.ServerError, exceptions.TooManyRequests, exceptions.RetryError) as error:
        raise StageError(f"{doing}: {error}; try again later") from error
    except exceptions.GoogleAPICallError as error:
        raise InputError(f"{doing}: Vertex AI refused: {error}") from error
    except GoogleAuthError as error:
        raise InputError(
            f"{doing}: {error}; renew the credentials: gcloud auth application-default login"
        ) from error
    except requests.RequestException as error:
        raise StageError(f"{doing}: the service can't be reached ({error}); check the network") from error
