"""`python -m vertex undeploy`: an endpoint's models are taken off, and with them the machines that cost."""

from typing import Annotated

import typer

from contracts.console import log
from contracts.errors import InputError
from vertex.client import connect
from vertex.models import rollout
from vertex.models.changes import Changes, DryRun
from vertex.models.endpoint import Dataset, EndpointName, endpoint_name, find, serving
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
        InputError: several are called so, there is none but others go on costing, or the service refuses.
        StageError: it failed.
    """
    from google.cloud.aiplatform_v1 import EndpointServiceClient

    client = connect(EndpointServiceClient, settings)
    if find(client, settings, name) is None:
        others = [other.name.rpartition("/")[2] for other in serving(client, settings)]
        if others:
            extra = " --delete" if delete else ""
            commands = (f'make undeploy VERTEX_ARGS="--endpoint {other}{extra}"' for other in others)
            raise InputError(
                f"no endpoint {name} in {settings.parent}; it has others with models, which cost: "
                + " or ".join(commands)
            )
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
