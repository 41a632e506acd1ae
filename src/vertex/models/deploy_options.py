"""The options of `python -m vertex deploy`, in groups: where, and what each place takes."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar

import typer

from vertex.models.endpoint import EndpointName
from vertex.models.register import Aliases


class Target(StrEnum):
    """Where a server can stand."""

    VERTEX = "vertex"
    CLOUD_RUN = "cloudrun"
    APP_ENGINE = "appengine"
    FUNCTION = "function"
    LAMBDA = "lambda"


ServingAccount = Annotated[
    str | None,
    typer.Option(
        "--service-account",
        envvar="CHRYSALIS_SERVING_ACCOUNT",
        help="The e-mail that the server runs as, on Google Cloud.",
    ),
]


@dataclass(frozen=True)
class OnVertex:
    """The options of an endpoint, as a group."""

    title: ClassVar[str] = "Endpoint of Vertex AI"

    endpoint: EndpointName = None
    name: Annotated[
        str | None,
        typer.Option(help="vertex: the model's id.  [default: chrysalis-DATASET]", show_default=False),
    ] = None
    aliases: Aliases = None
    canary: Annotated[
        int | None,
        typer.Option(min=1, max=99, help="vertex: percent of the requests that it gets, beside the old one."),
    ] = None
    shared: Annotated[
        bool,
        typer.Option(
            "--shared",
            help="vertex: a new endpoint gets no address of its own, and takes 1.5 MB a request, not 10 MB.",
        ),
    ] = False


@dataclass(frozen=True)
class Elsewhere:
    """The options of the other targets, as a group."""

    title: ClassVar[str] = "Other targets"

    key_secret: Annotated[
        str | None,
        typer.Option(
            envvar="CHRYSALIS_API_KEY_SECRET",
            help="cloudrun: Secret Manager's secret with the API key.  [default: chrysalis-api-key]",
        ),
    ] = None
    allow_bucket: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A bucket that requests may name images in; can be repeated.  function: needed.",
        ),
    ] = None
    ecr: Annotated[
        str | None,
        typer.Option(
            envvar="CHRYSALIS_ECR",
            help="lambda: ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY, for its image.",
        ),
    ] = None
