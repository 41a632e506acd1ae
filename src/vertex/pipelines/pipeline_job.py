"""A run of the compiled pipeline on Vertex AI: the very message that the client sends, and following it."""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final

from contracts.console import Terminated, log
from contracts.errors import StageError
from vertex.client import REQUEST_SECONDS, Pauses, connect, explained, patience
from vertex.jobs.follow import ended_by
from vertex.jobs.job import APP, label
from vertex.settings import Settings, scratch

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1 import PipelineServiceClient
    from google.cloud.aiplatform_v1.types import PipelineJob

ENDED: Final = ("SUCCEEDED", "FAILED", "CANCELLED", "PAUSED")
_UNTOLD: Final = ("STATE_UNSPECIFIED", "NOT_TRIGGERED", "PENDING")


def pipeline_job(
    text: str,
    values: Mapping[str, str],
    now: datetime,
    *,
    service_account: str | None = None,
    network: str | None = None,
) -> "PipelineJob":
    """Build the run of a compiled pipeline with these values of its parameters."""
    import yaml
    from google.cloud.aiplatform_v1 import types
    from google.protobuf import json_format, struct_pb2

    specification = json_format.ParseDict(yaml.safe_load(text), struct_pb2.Struct())
    parameters = {name: struct_pb2.Value(string_value=value) for name, value in values.items()}
    return types.PipelineJob(
        display_name=f"chrysalis-pipeline-{label(values['dataset'])}-{now:%Y%m%d-%H%M%S}",
        labels=APP | {"dataset": label(values["dataset"]), "run-id": label(values["run_id"])},
        pipeline_spec=specification,
        runtime_config=types.PipelineJob.RuntimeConfig(
            gcs_output_directory=scratch(values["root"], "pipelines"),
            parameter_values=parameters,
        ),
        service_account=service_account or None,
        network=network or None,
    )


def job_id(job: "PipelineJob") -> str:
    """The last part of the name that the run gets: lower-case letters, digits and -."""
    return str(job.display_name).replace("_", "-")


def create(client: "PipelineServiceClient", settings: Settings, job: "PipelineJob") -> "PipelineJob":
    """Submit a run. Not retried; a second one of this name would be refused."""
    with explained(f"submitting {job.display_name}"):
        return client.create_pipeline_job(
            parent=settings.parent, pipeline_job=job, pipeline_job_id=job_id(job), timeout=REQUEST_SECONDS
        )


def run(job: "PipelineJob", settings: Settings, *, wait: bool) -> None:
    """Submit a run, and follow it to its end unless told not to `wait`.

    Raises:
        InputError: the service refuses it.
        StageError: the service can't be reached, or the run ended otherwise than well.
    """
    from google.cloud.aiplatform_v1 import PipelineServiceClient

    client = connect(PipelineServiceClient, settings)
    job = create(client, settings, job)
    log("submitted", name=job.display_name, console=console_link(job))
    if not wait:
        return
    try:
        _follow(client, job)
    except (KeyboardInterrupt, Terminated) as stop:
        log("no longer watching; the run goes on", console=console_link(job))
        raise ended_by(stop) from stop


def console_link(job: "PipelineJob") -> str:
    """The run's page in the Google Cloud console, with its graph and the steps' logs."""
    _, project, _, region, _, number = job.name.split("/")
    return (
        f"https://console.cloud.google.com/vertex-ai/locations/{region}/pipelines/runs/{number}"
        f"?project={project}"
    )


def _follow(client: "PipelineServiceClient", job: "PipelineJob") -> None:
    started, pauses, told = time.monotonic(), Pauses(), dict[str, str]()
    while True:
        with explained("watching the run, which goes on"):
            job = client.get_pipeline_job(name=job.name, retry=patience(), timeout=REQUEST_SECONDS)
        news = {name: state for name, state in _states(job).items() if told.get(name) != state}
        for name, state in news.items():
            log(name, state=state, seconds=round(time.monotonic() - started))
        told |= news
        state = job.state.name.removeprefix("PIPELINE_STATE_")
        if state in ENDED:
            break
        if news:
            pauses.again()
        pauses.sleep()
    if state != "SUCCEEDED":
        reason = job.error.message or "the service gives no reason"
        raise StageError(f"pipeline {job.display_name} {state}: {reason} (graph: {console_link(job)})")


def _states(job: "PipelineJob") -> dict[str, str]:
    """The states of the run and of its steps, by name."""
    steps = {
        detail.task_name: detail.state.name for detail in job.job_detail.task_details if detail.task_name
    }
    told = {name: state for name, state in steps.items() if state not in _UNTOLD}
    return told | {"pipeline": job.state.name.removeprefix("PIPELINE_STATE_")}
