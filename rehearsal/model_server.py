"""A deployed model's container, as Vertex AI starts it and asks whether it is healthy."""

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from docker.errors import NotFound

from rehearsal.network import answers
from rehearsal.vertex_ai import JobFailedError

if TYPE_CHECKING:
    from rehearsal.vertex_ai import Deployment

DEFAULT_PORT: Final = 8080
HEALTHY_SECONDS: Final = 120.0
STOP_SECONDS: Final = 10
SECONDS_BETWEEN_LOOKS: Final = 0.2


def port(deployment: "Deployment") -> int:
    """Where the model's server is to listen."""
    ports = deployment.model.container_spec.ports
    return int(ports[0].container_port) if ports else DEFAULT_PORT


def environment(deployment: "Deployment") -> dict[str, str]:
    """What Vertex AI sets in a model's container, after Google's page "Custom container requirements"."""
    spec = deployment.model.container_spec
    machine = deployment.deployed.dedicated_resources.machine_spec
    return {
        "AIP_MODE": "PREDICTION",
        "AIP_FRAMEWORK": "CUSTOM_CONTAINER",
        "AIP_HTTP_PORT": str(port(deployment)),
        "AIP_HEALTH_ROUTE": spec.health_route,
        "AIP_PREDICT_ROUTE": spec.predict_route,
        "AIP_STORAGE_URI": deployment.model.artifact_uri,
        "AIP_ENDPOINT_ID": deployment.endpoint.rpartition("/")[2],
        "AIP_DEPLOYED_MODEL_ID": deployment.deployed_model_id,
        "AIP_MACHINE_TYPE": machine.machine_type,
        "AIP_ACCELERATOR_TYPE": machine.accelerator_type.name if machine.accelerator_type else "",
    }


@dataclass(frozen=True)
class ModelServer:
    """A running container and its address on this machine."""

    container: Any
    url: str

    def wait_until_healthy(self, route: str) -> None:
        """Ask its health route until the answer is 200.

        Raises:
            JobFailedError: the container ended, or the time is up.
        """
        deadline = time.monotonic() + HEALTHY_SECONDS
        while time.monotonic() < deadline:
            self.container.reload()
            if self.container.status == "exited":
                said = self.container.logs(tail=1).decode(errors="replace").strip()
                raise JobFailedError(f"Model server exited unexpectedly: {said}")
            if answers(f"{self.url}{route}"):
                return
            time.sleep(SECONDS_BETWEEN_LOOKS)
        raise JobFailedError(f"Model server never became ready: {route} isn't 200.")

    def stop(self) -> None:
        """End it, as at an undeployment; a second time it is gone already."""
        with suppress(NotFound):
            self.container.stop(timeout=STOP_SECONDS)
            self.container.remove(force=True)
