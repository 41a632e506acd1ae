"""A stand-in for the Dataflow service on loopback, and for its workers.

It speaks the REST routes that Beam's DataflowRunner uses, and parses bodies with Google's own proto types.
The pipeline that a job's request names in the bucket runs with Beam's local runner, in this process, in place
of the machines.
"""

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from contracts import storage

if TYPE_CHECKING:
    from google.cloud import dataflow_v1beta3 as dataflow

JOB_ID = "2026-11-22_00_00_00-1234567890123456789"

_ROUTE = re.compile(r"/v1b3/projects/(?P<project>[^/]+)/locations/(?P<region>[^/]+)/jobs(?P<rest>/[^?]*)?")


def run_pipeline(job: "dataflow.Job") -> None:
    """Run the pipeline that a job's request names, as its workers would.

    They start in the job's image, with nothing of the launcher but this file.
    """
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.portability import python_urns
    from apache_beam.portability.api import beam_runner_api_pb2
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    staged = job.environment.sdk_pipeline_options["options"]["pipelineUrl"]
    pipeline = beam_runner_api_pb2.Pipeline.FromString(storage.read_bytes(staged))
    for environment in pipeline.components.environments.values():
        # In place of a container of the image there.
        environment.urn, environment.payload = python_urns.EMBEDDED_PYTHON, b""
    FnApiRunner().run_via_runner_api(pipeline, PipelineOptions([])).wait_until_finish()


@dataclass
class Dataflow:
    """The service for one job, as a context manager: `url` is its address, `requests` what came, in order.

    `run` does a job's work; what it raises fails the job.
    """

    run: Callable[["dataflow.Job"], None] = run_pipeline
    url: str = ""
    requests: list[tuple[str, str]] = field(default_factory=list)
    job: "dataflow.Job" = field(init=False)
    _server: ThreadingHTTPServer = field(init=False)
    _error: str = ""

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        # Beam speaks REST to an endpoint that has this name in it, and gRPC to all others.
        self.url = f"http://localhost:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def create(self, body: bytes, project: str, region: str) -> "dataflow.Job":
        """Take a job, and start it."""
        from google.cloud import dataflow_v1beta3 as dataflow
        from google.protobuf import json_format

        job = dataflow.Job()
        json_format.Parse(body, dataflow.Job.pb(job))
        job.id, job.project_id, job.location = JOB_ID, project, region
        job.current_state = dataflow.JobState.JOB_STATE_PENDING
        self.job = job
        return job

    def get(self) -> "dataflow.Job":
        """Show the job; the first look sees it pending, and then it starts."""
        from google.cloud import dataflow_v1beta3 as dataflow

        seen = dataflow.Job(self.job)
        if self.job.current_state == dataflow.JobState.JOB_STATE_PENDING:
            self.job.current_state = dataflow.JobState.JOB_STATE_RUNNING
            threading.Thread(target=self._work, daemon=True).start()
        return seen

    def update(self, body: bytes) -> "dataflow.Job":
        """Do what is asked of the job: it can be cancelled."""
        from google.cloud import dataflow_v1beta3 as dataflow
        from google.protobuf import json_format

        asked = dataflow.Job()
        json_format.Parse(body, dataflow.Job.pb(asked))
        self.job.requested_state = self.job.current_state = asked.requested_state
        return self.job

    def messages(self) -> "dataflow.ListJobMessagesResponse":
        """What the service has to tell of the job: why it failed."""
        from google.cloud import dataflow_v1beta3 as dataflow

        said = dataflow.ListJobMessagesResponse()
        if self._error:
            importance = dataflow.JobMessageImportance.JOB_MESSAGE_ERROR
            said.job_messages = [
                dataflow.JobMessage(
                    id="1", message_text=self._error, message_importance=importance, time={"seconds": 1}
                )
            ]
        return said

    def _work(self) -> None:
        from google.cloud import dataflow_v1beta3 as dataflow

        state = dataflow.JobState.JOB_STATE_DONE
        try:
            self.run(self.job)
        except Exception as error:  # noqa: BLE001 (whatever it is, the job fails of it)
            self._error, state = str(error), dataflow.JobState.JOB_STATE_FAILED
        if self.job.current_state == dataflow.JobState.JOB_STATE_RUNNING:
            self.job.current_state = state


def _handler(service: Dataflow) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            service.requests.append((self.command, self.path.partition("?")[0]))
            route = _ROUTE.match(self.path)
            if not route:
                self._answer(404, {"error": {"code": 404, "message": f"no route {self.path}"}})
                return
            try:
                self._answer(200, self._asked(route, body))
            except ValueError as error:  # of json_format: an unknown field, or a wrong value
                self._answer(400, {"error": {"code": 400, "message": str(error)}})

        do_GET = do_POST = do_PUT = _any  # noqa: N815

        def _asked(self, route: re.Match[str], body: bytes) -> Any:
            match self.command, route["rest"]:
                case "POST", None:
                    answer: Any = service.create(body, route["project"], route["region"])
                case "PUT", _:
                    answer = service.update(body)
                case _, rest if rest and rest.endswith("/messages"):
                    answer = service.messages()
                case _:
                    answer = service.get()
            return json.loads(type(answer).to_json(answer))

        def _answer(self, status: int, document: Any) -> None:
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Keep the terminal clean."""

    return Handler
