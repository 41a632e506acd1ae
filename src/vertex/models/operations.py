"""Long-running operations: waited for until they end, also those that somebody else began."""

import time
from typing import Any, Final

from contracts.console import log
from contracts.errors import InputError, StageError
from vertex.client import REQUEST_SECONDS, Pauses, explained, named, patience

LONGEST_SECONDS: Final = 3 * 60 * 60.0
"""A container may take two hours to become healthy."""


def wait(operation: Any, doing: str, logs: str = "") -> Any:
    """Wait for an operation's result.

    Args:
        operation: one of Google's futures.
        doing: what it does, as in "uploading the model".
        logs: where the logs of what it starts are.

    Raises:
        InputError: what was asked for can't be.
        StageError: it failed, or takes longer than anything does.
    """
    started, pauses = time.monotonic(), Pauses()
    with explained(doing):
        log(doing, operation=named(operation.operation).name)
    with explained(f"{doing}, which goes on"):
        while not _is_done(operation, doing):
            if time.monotonic() - started > LONGEST_SECONDS:
                raise StageError(f"{doing} goes on after {LONGEST_SECONDS / 3600:.0f} hours: see {logs}")
            pauses.sleep()
    error: Any = operation.exception()
    if error is not None:
        raise explanation(error, doing, logs) from error
    log(f"{doing}: done", seconds=round(time.monotonic() - started))
    return operation.result()


def _is_done(operation: Any, doing: str) -> bool:
    from google.api_core import exceptions

    try:
        return bool(operation.done(retry=patience()))
    except exceptions.NotFound as error:
        name = operation.operation.name
        raise StageError(f"{doing}: {name} is gone, and how it ended isn't known; try again") from error


def explanation(error: Any, doing: str, logs: str = "") -> InputError | StageError:
    """Say why an operation failed, and what to do."""
    from google.api_core import exceptions

    reason = getattr(error, "message", None) or str(error)
    if isinstance(error, exceptions.TooManyRequests):
        return StageError(
            f"{doing}: {reason} (a quota: take another machine or region, or ask for more at "
            "https://console.cloud.google.com/iam-admin/quotas)"
        )
    if isinstance(error, exceptions.Forbidden):
        return InputError(f"{doing}: {reason} (give the account that is named the role that it lacks)")
    where = f" (logs: {logs})" if logs else ""
    if isinstance(error, exceptions.NotFound):
        return InputError(f"{doing}: {reason}{where}")
    return StageError(f"{doing}: {reason}{where}")


def settle(client: Any, resource: str) -> None:
    """Wait for what is already under way on a resource, such as a command that was killed left.

    Args:
        client: of the resource's service.
        resource: its whole name.
    """
    from google.api_core import exceptions
    from google.longrunning import operations_pb2

    pauses = Pauses()
    request = operations_pb2.ListOperationsRequest(name=resource)
    while True:
        with explained(f"looking what is under way on {resource}"):
            try:
                listed = client.list_operations(request, retry=patience(), timeout=REQUEST_SECONDS)
            except exceptions.NotFound:  # what can't be seen mustn't keep a model out of service
                log("what is under way can't be seen", resource=resource)
                return
        under_way = [operation.name for operation in listed.operations if not operation.done]
        if not under_way:
            return
        log("waiting for what is under way", operation=under_way[0])
        pauses.sleep()
