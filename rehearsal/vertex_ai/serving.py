"""A model on an endpoint, as its machines see it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1 import types


def _nothing() -> None:
    """Nothing to stop."""


@dataclass
class Deployment:
    """A model that is to answer for an endpoint.

    `serve(deployment)` starts it and gives the address at which it listens, or raises JobFailedError. It may
    set `stop`, which is called once the model is undeployed, or the server stops.

    Attributes:
        deployed_model_id: the service's number for the model on this endpoint.
        endpoint: projects/NUMBER/locations/REGION/endpoints/…
        model: what was uploaded: its container, its artifact_uri.
        deployed: on what it runs: machines, replicas, service account.
        stop: what ends it.
    """

    deployed_model_id: str
    endpoint: str
    model: "types.Model"
    deployed: "types.DeployedModel"
    stop: Callable[[], None] = field(default=_nothing, repr=False)


ECHO = "echo:"
"""The address of a model that answers with what it was asked."""


def echo(deployment: Deployment) -> str:  # noqa: ARG001
    """Serve a model that gives its instances back as predictions."""
    return ECHO
