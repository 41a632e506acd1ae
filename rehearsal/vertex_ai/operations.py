"""Long-running operations: not done at the first look, done once their work is."""

import threading
from collections.abc import Callable
from typing import Any

from google.longrunning import operations_pb2
from google.protobuf import empty_pb2
from google.rpc import code_pb2

from rehearsal.vertex_ai.bodies import plain_message
from rehearsal.vertex_ai.collection import new_number
from rehearsal.vertex_ai.errors import RefusedError, missing, not_now
from rehearsal.vertex_ai.routes import Call, Route


class Operations:
    """Work that goes on after its request was answered, each in a thread of its own."""

    def __init__(self) -> None:
        self._operations: dict[str, tuple[operations_pb2.Operation, threading.Thread]] = {}
        self._looked: set[str] = set()

    def routes(self) -> list[Route]:
        """Who answers what; Google's clients ask at /ui/, curl at /v1/."""
        where = "projects/{project}/locations/{region}"
        prefixes = ("/v1", "/ui")
        return [
            *(Route("GET", f"{prefix}/{where}/{{kind}}/{{id}}/operations", self.list) for prefix in prefixes),
            *(
                Route("GET", f"{prefix}/{where}{inner}/operations/{{operation}}", self.get)
                for prefix in prefixes
                for inner in ("", "/{kind}/{id}")
            ),
        ]

    def start(self, name: str, metadata: Any, work: Callable[[], Any]) -> operations_pb2.Operation:
        """Begin `work` on the resource `name`; what it returns is the operation's response.

        A RefusedError from it is the operation's error.
        """
        number = new_number()
        operation = operations_pb2.Operation(name=f"{name}/operations/{number}")
        operation.metadata.Pack(plain_message(metadata))
        begun = operations_pb2.Operation()
        begun.CopyFrom(operation)
        thread = threading.Thread(target=_perform, args=(operation, work), daemon=True)
        self._operations[number] = operation, thread
        thread.start()
        return begun

    def get(self, call: Call) -> operations_pb2.Operation:
        """Show an operation; the first look always finds it under way."""
        number = call.where["operation"]
        if number not in self._operations:
            raise missing(f"operations/{number}")
        operation, thread = self._operations[number]
        if number in self._looked and not thread.is_alive():
            return operation
        self._looked.add(number)
        return operations_pb2.Operation(name=operation.name, metadata=operation.metadata)

    def list(self, call: Call) -> operations_pb2.ListOperationsResponse:
        """List the operations on a resource."""
        resource = [call.where["kind"], call.where["id"]]
        return operations_pb2.ListOperationsResponse(
            operations=[
                operations_pb2.Operation(name=operation.name, done=not thread.is_alive())
                for operation, thread in self._operations.values()
                if operation.name.split("/")[4:6] == resource
            ]
        )

    def check_idle(self, name: str) -> None:
        """Refuse a change of a resource while another is under way."""
        busy = [
            operation.name
            for operation, thread in self._operations.values()
            if thread.is_alive() and operation.name.startswith(f"{name}/")
        ]
        if busy:
            raise not_now(f'There are other operations running on "{name}": {", ".join(busy)}')

    def stop(self, seconds: float) -> None:
        """Wait for what is under way."""
        for _, thread in self._operations.values():
            thread.join(seconds)


def _perform(operation: operations_pb2.Operation, work: Callable[[], Any]) -> None:
    # A work that breaks leaves this.
    operation.error.code, operation.error.message = code_pb2.INTERNAL, "Internal error occurred."
    try:
        response = work()
    except RefusedError as error:
        operation.error.code = code_pb2.Code.Value(error.status)
        operation.error.message = error.message
    else:
        operation.response.Pack(empty_pb2.Empty() if response is None else plain_message(response))
    finally:
        operation.done = True
