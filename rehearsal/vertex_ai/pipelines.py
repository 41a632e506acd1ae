"""Pipeline jobs: taken, checked and passed; their tasks aren't run."""

import re
from datetime import UTC, datetime
from typing import Any

from google.cloud.aiplatform_v1 import types

from rehearsal.vertex_ai.bodies import copy
from rehearsal.vertex_ai.checks import check_bucket, check_labels, check_service_account
from rehearsal.vertex_ai.collection import Collection, new_number, page
from rehearsal.vertex_ai.errors import not_now, require
from rehearsal.vertex_ai.progress import Progress
from rehearsal.vertex_ai.routes import Call, Route, job_routes


class Pipelines:
    """The routes of pipelineJobs."""

    def __init__(self) -> None:
        self.jobs: Collection[tuple[Progress, Any]] = Collection("pipelineJobs")

    def routes(self) -> list[Route]:
        """Who answers what."""
        return job_routes(self, self.jobs.kind, types.PipelineJob, types.CancelPipelineJobRequest)

    def create(self, call: Call) -> Any:
        """Take a pipeline job."""
        message = call.message
        require(message.pipeline_spec or message.template_uri, "Required field pipeline_spec is not set.")
        for field in ("root", "pipelineInfo", "deploymentSpec", "schemaVersion"):
            require(
                message.template_uri or field in (message.pipeline_spec or {}),
                f"pipeline_spec.{field} is required",
            )
        check_bucket(message.runtime_config.gcs_output_directory, "runtime_config.gcs_output_directory")
        check_labels(message.labels)
        if message.service_account:
            check_service_account(message.service_account)
        wanted = call.query.get("pipelineJobId", "")
        require(
            re.fullmatch(r"(?:[a-z][a-z0-9-]{0,127})?", wanted), f"pipeline_job_id: {wanted!r} is invalid"
        )
        message.name = self.jobs.name(call.where, wanted or new_number())
        message.create_time = datetime.now(UTC)
        progress = Progress("QUEUED", "PENDING", "RUNNING", "SUCCEEDED")
        self.jobs.add(message.name, (progress, message))
        return _shown(message, progress.shown)

    def get(self, call: Call) -> Any:
        """Show a job in its next state."""
        progress, message = self.jobs.get(call.where)
        return _shown(message, progress.look())

    def list(self, call: Call) -> Any:
        """List jobs as they were last seen."""
        jobs = [_shown(message, progress.shown) for progress, message in self.jobs.under(call.where)]
        return page(jobs, call.query, "pipeline_jobs", types.ListPipelineJobsResponse)

    def cancel(self, call: Call) -> dict[str, Any]:
        """Stop a job that hasn't been seen to end."""
        progress, message = self.jobs.get(call.where)
        if progress.shown in ("SUCCEEDED", "CANCELLED"):
            raise not_now(f"{message.name} has ended")
        progress.end("CANCELLING", "CANCELLED")
        return {}


def _shown(message: Any, state: str) -> Any:
    view = copy(message)
    view.state = f"PIPELINE_STATE_{state}"
    return view
