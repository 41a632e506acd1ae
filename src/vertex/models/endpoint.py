"""An endpoint of Vertex AI: how it is called, found and made."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Final

import typer

from contracts.errors import InputError
from vertex.client import REQUEST_SECONDS, explained, named, patience
from vertex.jobs.job import OURS
from vertex.models.changes import Changes
from vertex.models.model import check_id, resource_id
from vertex.settings import Settings

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1 import EndpointServiceClient
    from google.cloud.aiplatform_v1.types import Endpoint

EndpointName = Annotated[
    str | None,
    typer.Option(help="Its display name, or its id.  [default: chrysalis-DATASET]", show_default=False),
]
Dataset = Annotated[str, typer.Option(help="The data set whose endpoint it is, where it isn't named.")]

DEPLOY: Final = "make deploy RUN=vertex, with the DATASET and RUN_ID of a bundle"
"""What puts a model onto an endpoint."""


def endpoint_name(name: str | None, dataset: str) -> str:
    """What an endpoint is called: its own name, or the data set's."""
    return name or resource_id(dataset)


def find(client: "EndpointServiceClient", settings: Settings, name: str) -> "Endpoint | None":
    """Find an endpoint by its display name, its id or its whole name; None: there is none.

    Raises:
        InputError: several are called so, or none can be.
    """
    from google.api_core import exceptions

    if not re.fullmatch(r'projects/[^/"]+/locations/[^/"]+/endpoints/[^/"]+|[^/"]+', name):
        raise InputError(
            f"expected an endpoint's display name, its id or projects/…/endpoints/ID; got {name!r}"
        )
    whole = name if name.startswith("projects/") else f"{settings.parent}/endpoints/{name}"
    with explained(f"looking for the endpoint {name}"):
        try:
            return named(client.get_endpoint(name=whole, retry=patience(), timeout=REQUEST_SECONDS))
        except (exceptions.NotFound, exceptions.BadRequest):  # the latter: a name that couldn't be an id
            pass
        request = {"parent": settings.parent, "filter": f'display_name="{name}"'}
        found = [
            named(one) for one in client.list_endpoints(request, retry=patience(), timeout=REQUEST_SECONDS)
        ]
    if len(found) > 1:
        names = ", ".join(endpoint.name.rpartition("/")[2] for endpoint in found)
        raise InputError(
            f"{len(found)} endpoints are called {name}: give --endpoint one of their ids {names}"
        )
    return found[0] if found else None


def serving(client: "EndpointServiceClient", settings: Settings) -> "list[Endpoint]":
    """List the endpoints made here that have models deployed, whose machines cost."""
    request = {"parent": settings.parent, "filter": OURS}
    with explained("looking for endpoints with models"):
        listed = client.list_endpoints(request, retry=patience(), timeout=REQUEST_SECONDS)
        return [named(endpoint) for endpoint in listed if endpoint.deployed_models]


def existing(client: "EndpointServiceClient", settings: Settings, name: str) -> "Endpoint":
    """As `find`, but there must be one.

    Raises:
        InputError: there is none, or several.
    """
    endpoint = find(client, settings, name)
    if endpoint is None:
        raise InputError(
            f"no endpoint {name} in {settings.parent}: give another --endpoint, or deploy to it first: "
            f"{DEPLOY}"
        )
    return endpoint


def create(
    client: "EndpointServiceClient",
    changes: Changes,
    name: str,
    labels: Mapping[str, str],
    *,
    dedicated: bool,
) -> "Endpoint":
    """Make an endpoint whose id is its name, so that a second one can't come about."""
    from google.cloud.aiplatform_v1 import types

    check_id("--endpoint", name)
    settings = changes.settings
    endpoint = types.Endpoint(display_name=name, labels=dict(labels), dedicated_endpoint_enabled=dedicated)
    request = types.CreateEndpointRequest(parent=settings.parent, endpoint=endpoint, endpoint_id=name)
    created = changes(
        f"creating the endpoint {name}",
        client.create_endpoint,
        request,
        f"{settings.parent}/endpoints?endpointId={name}",
        body="endpoint",
    )
    endpoint.name = f"{settings.parent}/endpoints/{name}"
    return created or endpoint
