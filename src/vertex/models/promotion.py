"""`python -m vertex promote` and `rollback`: what becomes of a canary."""

from collections.abc import Callable

from vertex.client import connect
from vertex.models import rollout
from vertex.models.changes import Changes, DryRun
from vertex.models.endpoint import Dataset, EndpointName, endpoint_name
from vertex.models.open_endpoint import OpenEndpoint
from vertex.option_groups import grouped
from vertex.settings import Service, Settings

PROMOTE_EXAMPLES = """\b
Examples:
  python -m vertex promote --dataset digits
  python -m vertex promote --endpoint my-endpoint --dry-run
"""
ROLLBACK_EXAMPLES = """\b
Examples:
  python -m vertex rollback --dataset digits
  python -m vertex rollback --endpoint my-endpoint --dry-run
"""


def decide(what: Callable[[OpenEndpoint], None], name: str, settings: Settings, *, dry_run: bool) -> None:
    """Promote the canary of an endpoint or roll it back, as `what` does.

    Raises:
        InputError: there is no such endpoint, or no canary.
        StageError: it failed.
    """
    from google.cloud.aiplatform_v1 import EndpointServiceClient

    changes = Changes(settings, dry_run=dry_run)
    what(OpenEndpoint.found(connect(EndpointServiceClient, settings), changes, name))


@grouped
def promote_cli(
    *, endpoint: EndpointName = None, dataset: Dataset = "digits", service: Service, dry_run: DryRun = False
) -> None:
    """Give an endpoint's newest model all requests, then take the others off."""
    name = endpoint_name(endpoint, dataset)
    decide(rollout.promote, name, service.settings(name), dry_run=dry_run)


@grouped
def rollback_cli(
    *, endpoint: EndpointName = None, dataset: Dataset = "digits", service: Service, dry_run: DryRun = False
) -> None:
    """Give the requests of an endpoint's newest model back to the one before, and take it off."""
    name = endpoint_name(endpoint, dataset)
    decide(rollout.roll_back, name, service.settings(name), dry_run=dry_run)
