"""A stand-in on loopback for the REST services that the doctor asks, and a project where all is well."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

P = "/v1/projects/my-project"
ACCOUNT = "training@my-project.iam.gserviceaccount.com"
SERVING = "serving@my-project.iam.gserviceaccount.com"
ACT_AS = {"permissions": ["iam.serviceAccounts.actAs"]}
QUOTA = (
    "/v1beta1/projects/my-project/services/aiplatform.googleapis.com/consumerQuotaMetrics/"
    "aiplatform.googleapis.com%2Fcustom_model_training_"
)
OBJECTS = [f"storage.objects.{verb}" for verb in ("create", "delete", "get", "list")]
SERVICES = [
    "aiplatform",
    "artifactregistry",
    "compute",
    "dataflow",
    "iam",
    "logging",
    "run",
    "secretmanager",
    "storage",
]


def refusal(code: int, message: str = "no", reason: str = "") -> tuple[int, dict[str, Any]]:
    """An error as Google's services give it."""
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}] if reason else []
    return code, {"error": {"code": code, "message": message, "status": "REFUSED", "details": details}}


def services(*off: str) -> dict[str, Any]:
    """What Service Usage says of the project's services."""
    return {
        "services": [
            {
                "name": f"projects/123/services/{name}.googleapis.com",
                "state": "DISABLED" if name in off else "ENABLED",
            }
            for name in SERVICES
        ]
    }


def quota(*buckets: tuple[str | None, int]) -> dict[str, Any]:
    """What it says of a limit: by region, or None for all that have none of their own."""
    return {
        "consumerQuotaLimits": [
            {
                "unit": "1/{project}/{region}",
                "quotaBuckets": [
                    {"effectiveLimit": str(limit), **({"dimensions": {"region": region}} if region else {})}
                    for region, limit in buckets
                ],
            }
        ]
    }


class Services:
    """Answers by path, and what was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[tuple[str, str, dict[str, list[str]]]] = []
        self.answers: dict[str, Any] = {
            f"{P}/services:batchGet": services(),
            f"{P}/locations": {"locations": [{"locationId": "europe-west4"}, {"locationId": "us-central1"}]},
            f"{QUOTA}nvidia_t4_gpus": quota((None, 0), ("europe-west4", 4)),
            f"{QUOTA}preemptible_nvidia_l4_gpus": quota((None, -1)),
            f"{QUOTA}n2_cpus": quota((None, 20)),
            f"{QUOTA}cpus": quota((None, 42)),
            "/storage/v1/b/my-bucket": {"location": "EUROPE-WEST4"},
            "/storage/v1/b/my-bucket/iam/testPermissions": {"permissions": OBJECTS},
            f"{P}/serviceAccounts/{ACCOUNT}": {"email": ACCOUNT},
            f"{P}/serviceAccounts/{ACCOUNT}:testIamPermissions": ACT_AS,
            f"{P}/serviceAccounts/{SERVING}": {"email": SERVING},
            f"{P}/serviceAccounts/{SERVING}:testIamPermissions": ACT_AS,
            f"{P}/secrets/wandb/versions/latest": {"state": "ENABLED"},
            f"{P}/secrets/api-key/versions/latest": {"state": "ENABLED"},
            **{
                f"/v2/chrysalis/{name}/manifests/latest": {}
                for name in ("download", "records", "vgg16", "vgg16-cuda", "serving")
            },
        }

    def switch_off(self, *names: str) -> None:
        """Switch services of the project off."""
        self.answers[f"{P}/services:batchGet"] = services(*names)


def handler(services: Services) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            address = urlsplit(self.path)
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            services.asked.append((self.command, address.path, parse_qs(address.query)))
            found = services.answers.get(address.path, refusal(404, "not found"))
            code, document = found if isinstance(found, tuple) else (200, found)
            body = json.dumps(document).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_POST = do_HEAD = answer  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    return Handler


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    services = Services()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(services))
    services.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    for name, value in {
        "GOOGLE_ENDPOINT": services.url,
        "BUCKET": "my-bucket",
        "IMAGES": f"127.0.0.1:{server.server_port}/chrysalis",
        "SERVICE_ACCOUNT": ACCOUNT,
        "SERVING_ACCOUNT": SERVING,
        "WANDB_SECRET": "wandb",
        "API_KEY_SECRET": "api-key",
    }.items():
        monkeypatch.setenv(f"CHRYSALIS_{name}", value)
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    yield services
    server.shutdown()
    server.server_close()
    thread.join()
