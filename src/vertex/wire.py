"""Requests as they go over the wire, for --dry-run: the address and the very body that the client sends."""

from collections.abc import Collection
from typing import TYPE_CHECKING

import typer

from contracts.console import log
from vertex.settings import Settings

if TYPE_CHECKING:
    import proto


def request_json(message: "proto.Message", in_path: Collection[str] = ()) -> str:
    """The body of a request, as the client's REST transport writes it: enums are numbers.

    Args:
        message: the body, or the whole request.
        in_path: the fields of a whole request that stand in the address instead.
    """
    from google.protobuf.json_format import MessageToJson

    body = type(message)(message)
    for field in in_path:
        setattr(body, field, None)
    return MessageToJson(type(body).pb(body), use_integers_for_enums=True)


def show_request(settings: Settings, path: str, body: str, method: str = "POST", **about: object) -> None:
    """Print a body to standard output, and where it would go to standard error.

    Args:
        settings: whose service it is.
        path: behind the version, as in projects/P/locations/R/customJobs.
        body: JSON.
        method: of HTTP.
        about: what else the line on standard error tells.
    """
    address = settings.api_endpoint if "://" in settings.api_endpoint else f"https://{settings.api_endpoint}"
    log("would send", **about, to=f"{method} {address}/v1/{path}")
    typer.echo(body)
