"""TensorBoard instances, for those that a job names."""

from datetime import UTC, datetime
from typing import Any

from google.cloud.aiplatform_v1 import types

from rehearsal.vertex_ai.bodies import copy
from rehearsal.vertex_ai.checks import check_naming
from rehearsal.vertex_ai.collection import Collection, new_number, page
from rehearsal.vertex_ai.operations import Operations
from rehearsal.vertex_ai.routes import LOCATION, Call, Route


class Tensorboards:
    """The routes of tensorboards."""

    def __init__(self, operations: Operations) -> None:
        self.operations = operations
        self.boards: Collection[Any] = Collection("tensorboards")

    def routes(self) -> list[Route]:
        """Who answers what."""
        several = f"{LOCATION}/tensorboards"
        return [
            Route("POST", several, self.create, types.Tensorboard, creates=True),
            Route("GET", several, self.list),
            Route("GET", f"{several}/{{id}}", self.get),
        ]

    def create(self, call: Call) -> Any:
        """Make an instance."""
        board = copy(call.message)
        check_naming(board)
        board.name = self.boards.name(call.where, new_number())
        board.create_time = board.update_time = datetime.now(UTC)

        def work() -> Any:
            self.boards.add(board.name, board)
            return board

        return self.operations.start(board.name, types.CreateTensorboardOperationMetadata(), work)

    def get(self, call: Call) -> Any:
        """Show an instance."""
        return self.boards.get(call.where)

    def list(self, call: Call) -> Any:
        """List instances."""
        found = self.boards.under(call.where)
        return page(found, call.query, "tensorboards", types.ListTensorboardsResponse)
