"""The server: a socket on loopback, the routes, and what it remembers."""

import socket
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final

import uvicorn
from google.cloud.logging_v2.types import ListLogEntriesRequest

from rehearsal.vertex_ai.application import application
from rehearsal.vertex_ai.custom_jobs import CustomJobs
from rehearsal.vertex_ai.endpoints import Endpoints
from rehearsal.vertex_ai.errors import RefusedError
from rehearsal.vertex_ai.job import Job, Machines, succeed
from rehearsal.vertex_ai.logs import Logs
from rehearsal.vertex_ai.models import Models
from rehearsal.vertex_ai.operations import Operations
from rehearsal.vertex_ai.pipelines import Pipelines
from rehearsal.vertex_ai.prediction import Prediction
from rehearsal.vertex_ai.recording import Recorded
from rehearsal.vertex_ai.routes import Route
from rehearsal.vertex_ai.secret_manager import SecretManager
from rehearsal.vertex_ai.serving import Deployment, echo
from rehearsal.vertex_ai.tensorboards import Tensorboards
from rehearsal.vertex_ai.tuning_jobs import TuningJobs

STOP_SECONDS: Final = 30.0


class VertexAI:
    """Vertex AI, Cloud Logging and Secret Manager behind one address, as a context manager.

    Attributes:
        url: http://127.0.0.1:PORT.
        requests: all that came, in order, the refused ones too.
        run: what a job does, in a thread of its own: returning is success, JobFailedError is failure. It may
            be set anew at any time, for the jobs to come.
        serve: what a deployed model does: gives the address at which it listens.
        secrets: Secret Manager's, by name; a request with one's value in it is refused.
        outages: so many of the next requests are answered by 503.
    """

    def __init__(
        self,
        run: Callable[[Job], None] = succeed,
        serve: Callable[[Deployment], str] = echo,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        self.run = run
        self.serve = serve
        self.secrets = dict(secrets or {})
        self.outages = 0
        self.url = ""
        self.requests: list[Recorded] = []
        self._refusals: list[RefusedError] = []
        self._machines = Machines()
        self._operations = Operations()
        self._secret_manager = SecretManager(self.secrets)
        self.logs = Logs()
        self._models = Models(self._operations)
        self._endpoints = Endpoints(lambda deployment: self.serve(deployment), self._models, self._operations)

    def refuse(self, code: int, message: str, status: str | None = None) -> None:
        """Refuse the next request that would create something."""
        self._refusals.append(RefusedError(code, message, status))

    def __enter__(self) -> "VertexAI":
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(
            application(self.routes(), self._admit, self.requests.append),
            log_config=None,
            log_level="warning",
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="vertex-ai", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        stubborn = list(self._machines.stop(STOP_SECONDS))
        self._operations.stop(STOP_SECONDS)
        self._endpoints.stop()
        self._server.should_exit = True
        self._thread.join(STOP_SECONDS)
        if stubborn and error is None:
            raise TimeoutError(f"jobs that go on though cancelled: {', '.join(stubborn)}")

    def routes(self) -> list[Route]:
        """Every route, the particular ones before the general ones."""

        def run(job: Job) -> None:
            self.run(job)

        entries = Route(
            "POST", "/v2/entries:list", lambda call: self.logs.list(call.message), ListLogEntriesRequest
        )
        sections = (
            CustomJobs(run, self._machines, self.logs, self._operations),
            TuningJobs(run, self._machines, self.logs),
            self._models,
            self._endpoints,
            Prediction(self._endpoints),
            Pipelines(),
            Tensorboards(self._operations),
            self._secret_manager,
            self._operations,
        )
        return [entries, *(route for section in sections for route in section.routes())]

    def _admit(self, request: Recorded, route: Route | None) -> None:
        """Refuse a request before anyone answers it."""
        if self.outages:
            self.outages -= 1
            raise RefusedError(503, "The service is currently unavailable.")
        self._secret_manager.watch(request)
        if route and route.creates and self._refusals:
            raise self._refusals.pop(0)
