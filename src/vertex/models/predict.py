"""`python -m vertex predict`: image files, classified by a model that is deployed to an endpoint."""

from typing import Annotated

import typer

from contracts.errors import InputError
from vertex.client import connect
from vertex.models.endpoint import DEPLOY, Dataset, EndpointName, endpoint_name, existing
from vertex.option_groups import grouped
from vertex.settings import Service

EXAMPLES = """\b
Examples:
  python -m vertex predict --dataset digits photo.png
  python -m vertex predict --endpoint my-endpoint --top-k 5 --json *.jpg

Images of more than 300 kB are made smaller before they are sent, so that a request stays below 1.5 MB.
"""


@grouped
def predict_cli(
    images: Annotated[
        list[str], typer.Argument(help="Image files: paths or gs:// URIs.", show_default=False)
    ],
    *,
    endpoint: EndpointName = None,
    dataset: Dataset = "digits",
    top_k: Annotated[int, typer.Option(min=1, help="Classes shown for each image.")] = 3,
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Below it, a best class is told as not sure [the server's]."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each image.")] = False,
    service: Service,
) -> None:
    """Print the most probable classes of images, as a deployed model sees them."""
    from google.cloud.aiplatform_v1 import EndpointServiceClient

    from serving.predict import predict  # not at import: they take half a second
    from vertex.models.prediction import DeployedModel

    name = endpoint_name(endpoint, dataset)
    settings = service.settings(name)
    found = existing(connect(EndpointServiceClient, settings), settings, name)
    if not found.deployed_models:
        raise InputError(f"nothing is deployed to the endpoint {name}: {DEPLOY}, does it")
    parameters = {"top_k": top_k} | ({} if threshold is None else {"threshold": threshold})
    predict(images, DeployedModel(settings, found, parameters), as_json=as_json)
