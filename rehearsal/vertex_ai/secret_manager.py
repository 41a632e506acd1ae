"""Secret Manager's versions:access, and the watch that no secret comes by in the clear."""

import base64
from collections.abc import Mapping
from typing import Any

import google_crc32c

from rehearsal.vertex_ai.collection import PROJECT_NUMBER
from rehearsal.vertex_ai.errors import invalid, missing
from rehearsal.vertex_ai.recording import Recorded
from rehearsal.vertex_ai.routes import Call, Route


class SecretManager:
    """Secrets by name; each has one version, "1"."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self.secrets = secrets

    def routes(self) -> list[Route]:
        """Who answers what."""
        return [Route("GET", "/v1/projects/{project}/secrets/{id}/versions/{version}:access", self.access)]

    def access(self, call: Call) -> dict[str, Any]:
        """Give a secret's value."""
        name, version = call.where["id"], call.where["version"]
        if name not in self.secrets or version not in ("latest", "1"):
            raise missing(f"projects/{call.where['project']}/secrets/{name}/versions/{version}")
        value = self.secrets[name].encode()
        return {
            "name": f"projects/{PROJECT_NUMBER}/secrets/{name}/versions/1",
            "payload": {
                "data": base64.b64encode(value).decode(),
                "dataCrc32c": str(google_crc32c.value(value)),
            },
        }

    def watch(self, request: Recorded) -> None:
        """Refuse a request in which a secret's value stands, plain or in base64."""
        heard = "\n".join([request.path, request.text, *request.query.values(), *request.headers.values()])
        for name, value in self.secrets.items():
            if value and any(form in heard for form in (value, base64.b64encode(value.encode()).decode())):
                raise invalid(
                    f"The value of the secret {name} stands in the request, where others can read it."
                )
