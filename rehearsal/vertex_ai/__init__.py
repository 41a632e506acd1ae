"""Vertex AI on loopback: the REST routes that this project's commands use, for Google's own clients.

Requests are read with Google's own message types and checked as the service checks them. What becomes of them
is the caller's: `run(job)` does what a job's machines would, `serve(deployment)` what those of a model would.
"""

from rehearsal.vertex_ai.job import Job, JobFailedError, succeed
from rehearsal.vertex_ai.recording import Recorded, readable
from rehearsal.vertex_ai.server import VertexAI
from rehearsal.vertex_ai.serving import Deployment, echo

__all__ = ["Deployment", "Job", "JobFailedError", "Recorded", "VertexAI", "echo", "readable", "succeed"]
