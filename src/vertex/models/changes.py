"""Requests that change something: sent, and waited for; with --dry-run only printed, in their order."""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vertex.client import REQUEST_SECONDS, explained
from vertex.models.operations import explanation, wait
from vertex.settings import Settings
from vertex.wire import request_json, show_request

if TYPE_CHECKING:
    import proto


DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Print, in order, what would be sent or run to change anything; only look."
    ),
]


class Changes:
    """Makes changes, or shows them."""

    def __init__(self, settings: Settings, *, dry_run: bool) -> None:
        """Take whose service it is, and whether requests are only printed."""
        self.settings = settings
        self.dry_run = dry_run

    def __call__(
        self,
        doing: str,
        call: Callable[..., Any],
        request: "proto.Message",
        path: str,
        *,
        method: str = "POST",
        body: str | None = None,
        in_path: Collection[str] = (),
        logs: str = "",
    ) -> Any:
        """Make one change, and wait until it is made.

        Args:
            doing: what is changed, as in "uploading the model".
            call: the client's method for it.
            request: what the method takes.
            path: where it goes: behind the version, with its query.
            method: of HTTP.
            body: the field of the request that is the body; None: the whole.
            in_path: the fields of the body that stand in the path.
            logs: where the logs of what it starts are.

        Returns:
            The service's answer; None where the request was only printed.

        Raises:
            InputError: it was refused.
            StageError: it failed.
        """
        if self.dry_run:
            message = getattr(request, body) if body else request
            show_request(self.settings, path, request_json(message, in_path), method)
            return None
        from google.api_core import exceptions

        with explained(doing):
            try:
                answer = call(request, timeout=REQUEST_SECONDS)
            except (exceptions.TooManyRequests, exceptions.Forbidden) as error:
                raise explanation(error, doing) from error
        # Most are operations, which take their time.
        return wait(answer, doing, logs) if hasattr(answer, "operation") else answer
