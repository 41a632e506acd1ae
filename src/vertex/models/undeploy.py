"""`python -m vertex undeploy`: an endpoint's models are taken off, and with them the machines that cost."""

from typing import Annotated

import typer

from contracts.console import log
from vertex.client import connect
from vertex.models import rollout
from vertex.models.changes import Changes, DryRun
from vertex.models.endpoint import Dataset, EndpointName, endpoint_name, find
from vertex.models.open_endpoint import OpenEndpoint
from vertex.option_groups import grouped
from vertex.settings import Service, Settings

EXAMPLES = """\b
Examples:
  python -m vertex undeploy --dataset digits
  python -m vertex undeploy --endpoint my-endpoint --delete --dry-run

An endpoint without models costs nothing. Registered models stay: python -m vertex deploy brings them back.
"""


def undeploy(name: str, settings: Settings, *, delete: bool, dry_run: bool) -> None:
    """Take every model off an endpoint; nothing is done where there is no such endpoint.

    Raises:
        InputError: several are called so, or the service refuses.
        StageError: it failed.
    """
    from google.cloud.aiplatform_v1 import EndpointServiceClient

    client = connect(EndpointServiceClient, settings)
    if find(client, settings, name) is None:
        log("there is no such endpoint", endpoint=name, where=settings.parent)
        return
    endpoint = OpenEndpoint.found(client, Changes(settings, dry_run=dry_run), name)
    rollout.clear(endpoint)
    if delete:
        endpoint.delete()


@grouped
def undeploy_cli(
    *,
    endpoint: EndpointName = None,
    dataset: Dataset = "digits",
    delete: Annotated[bool, typer.Option("--delete", help="Delete the endpoint, too.")] = False,
    service: Service,
    dry_run: DryRun = False,
) -> None:
    """Take every model off an endpoint: its machines are given back, and cost no more."""
    name = endpoint_name(endpoint, dataset)
    undeploy(name, service.settings(name), delete=delete, dry_run=dry_run)
