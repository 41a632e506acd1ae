"""The conversation with Vertex AI's job service: create a job, and watch it until it ends."""

import time
from typing import TYPE_CHECKING

from contracts.console import log
from contracts.errors import StageError
from vertex.client import REQUEST_SECONDS, explained, patience
from vertex.settings import Settings

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1 import JobServiceClient
    from google.cloud.aiplatform_v1.types import CustomJob

FIRST_LOOK_SECONDS = 1.0
LAST_LOOK_SECONDS = 15.0

ENDED = ("SUCCEEDED", "PARTIALLY_SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED")


def create(client: "JobServiceClient", settings: Settings, job: "CustomJob") -> "CustomJob":
    """Submit a job. Not retried: a second try could start a second job."""
    with explained(f"submitting to {settings.api_endpoint}"):
        return client.create_custom_job(parent=settings.parent, custom_job=job, timeout=REQUEST_SECONDS)


def follow(client: "JobServiceClient", job: "CustomJob") -> None:
    """Report a job's states until it ends.

    Raises:
        StageError: it ended otherwise than well; the message is the job's own.
    """
    started, pause, seen = time.monotonic(), FIRST_LOOK_SECONDS, ""
    while True:
        with explained("watching the job, which goes on"):
            job = client.get_custom_job(name=job.name, retry=patience(), timeout=REQUEST_SECONDS)
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
