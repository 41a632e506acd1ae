"""A stand-in for Vertex AI's job service on loopback: it keeps what it hears and tells the given states."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

JOB = "projects/123/locations/europe-west4/customJobs/456"


@dataclass
class JobService:
    """What the service will say, and what it heard."""

    url: str = ""
    states: list[str] = field(default_factory=lambda: ["JOB_STATE_SUCCEEDED"])
    error: str | None = None
    outages: int = 0
    refusal: tuple[int, str] | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)

    def look(self) -> dict[str, Any]:
        """The job as the next look at it shows it; the last state stays."""
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        seen = {"name": JOB, "displayName": self.body["displayName"], "state": state}
        return seen | ({"error": {"code": 3, "message": self.error}} if self.error else {})


def handler(service: JobService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            service.asked.append(("POST", self.path.partition("?")[0]))
            service.headers = dict(self.headers)
            service.body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if service.refusal:
                code, message = service.refusal
                self.answer(code, {"error": {"code": code, "message": message}})
            else:
                self.answer(200, {**service.body, "name": JOB, "state": "JOB_STATE_PENDING"})

        def do_GET(self):
            service.asked.append(("GET", self.path.partition("?")[0]))
            if service.outages:
                service.outages -= 1
                self.answer(503, {"error": {"code": 503, "message": "away"}})
            else:
                self.answer(200, service.look())

        def answer(self, code: int, document: dict[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format, *args):  # noqa: A002
            pass

    return Handler


@pytest.fixture
def job_service() -> Iterator[JobService]:
    service = JobService()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(service))
    service.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield service
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def cloud_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings that a user exports once."""
    for name in ("GOOGLE_CLOUD_PROJECT", "CHRYSALIS_BUCKET", "CHRYSALIS_TAG", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CHRYSALIS_PROJECT", "my-project")
    monkeypatch.setenv("CHRYSALIS_REGION", "europe-west4")
    monkeypatch.setenv("CHRYSALIS_IMAGES", "europe-west4-docker.pkg.dev/my-project/chrysalis")
