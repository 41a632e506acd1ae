"""The routes of hyperparameter tuning jobs."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from google.cloud.aiplatform_v1 import types

from rehearsal.vertex_ai.checks import check_job_spec, check_naming
from rehearsal.vertex_ai.collection import Collection, new_number, page
from rehearsal.vertex_ai.custom_jobs import cancel, shown
from rehearsal.vertex_ai.errors import require
from rehearsal.vertex_ai.job import Job, Machines
from rehearsal.vertex_ai.logs import Logs
from rehearsal.vertex_ai.routes import Call, Route, job_routes
from rehearsal.vertex_ai.study import check_study
from rehearsal.vertex_ai.tuning import Tuning


class TuningJobs:
    """The routes of hyperparameterTuningJobs."""

    def __init__(self, run: Callable[[Job], None], machines: Machines, logs: Logs) -> None:
        self.run, self.machines, self.logs = run, machines, logs
        self.jobs: Collection[Tuning] = Collection("hyperparameterTuningJobs")

    def routes(self) -> list[Route]:
        """Who answers what."""
        cancelling = types.CancelHyperparameterTuningJobRequest
        return job_routes(self, self.jobs.kind, types.HyperparameterTuningJob, cancelling)

    def create(self, call: Call) -> Any:
        """Take a tuning job and start its first trials."""
        message = call.message
        check_naming(message)
        check_study(message.study_spec)
        check_job_spec(message.trial_job_spec)
        require(message.max_trial_count > 0, "Required field max_trial_count is not set.")
        require(message.parallel_trial_count > 0, "Required field parallel_trial_count is not set.")
        require(
            message.parallel_trial_count <= message.max_trial_count,
            "parallel_trial_count must not be above max_trial_count",
        )
        message.name = self.jobs.name(call.where, new_number())
        message.create_time = message.update_time = datetime.now(UTC)
        tuning = Tuning(message, self.run, self.machines, self.logs)
        self.jobs.add(message.name, tuning)
        tuning.start()
        return shown(message, tuning.progress.shown)

    def get(self, call: Call) -> Any:
        """Show a job in its next state."""
        return self.jobs.get(call.where).view()

    def list(self, call: Call) -> Any:
        """List jobs as they are, without their trials."""
        jobs = [shown(tuning.message, tuning.progress.last) for tuning in self.jobs.under(call.where)]
        kind = types.ListHyperparameterTuningJobsResponse
        return page(jobs, call.query, "hyperparameter_tuning_jobs", kind)

    def cancel(self, call: Call) -> dict[str, Any]:
        """Ask a job and its trials to stop."""
        tuning = self.jobs.get(call.where)
        cancel(tuning.progress, tuning.message.name, tuning.cancelled)
        tuning.stop()
        return {}
