"""Endpoints, and the models deployed to them."""

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from google.cloud.aiplatform_v1 import types

from rehearsal.vertex_ai.bodies import copy
from rehearsal.vertex_ai.checks import check_machine, check_naming, check_service_account
from rehearsal.vertex_ai.collection import PROJECT_NUMBER, Collection, new_number, page
from rehearsal.vertex_ai.errors import RefusedError, missing, not_now, require
from rehearsal.vertex_ai.job import JobFailedError
from rehearsal.vertex_ai.models import Models
from rehearsal.vertex_ai.operations import Operations
from rehearsal.vertex_ai.routes import LOCATION, Call, Route
from rehearsal.vertex_ai.serving import Deployment
from rehearsal.vertex_ai.traffic import check_split
from rehearsal.vertex_ai.updates import updated

_ID = re.compile(r"(?:[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?|[1-9]\d{0,8})?")


class Endpoints:
    """The routes of endpoints but prediction; `running` holds what serves, by deployed model id."""

    def __init__(self, serve: Callable[[Deployment], str], models: Models, operations: Operations) -> None:
        self.serve, self.models, self.operations = serve, models, operations
        self.endpoints: Collection[Any] = Collection("endpoints")
        self.running: dict[str, tuple[Deployment, str]] = {}
        self._lock = threading.Lock()

    def routes(self) -> list[Route]:
        """Who answers what."""
        several, one = f"{LOCATION}/endpoints", f"{LOCATION}/endpoints/{{id}}"
        return [
            Route("POST", several, self.create, types.Endpoint, creates=True),
            Route("GET", several, self.list),
            Route("POST", f"{one}:deployModel", self.deploy, types.DeployModelRequest, creates=True),
            Route("POST", f"{one}:undeployModel", self.undeploy, types.UndeployModelRequest),
            Route("POST", f"{one}:mutateDeployedModel", self.mutate, types.MutateDeployedModelRequest),
            Route("GET", one, self.get),
            Route("PATCH", one, self.update, types.Endpoint),
            Route("DELETE", one, self.delete),
        ]

    def create(self, call: Call) -> Any:
        """Make an endpoint; it is there once the operation is done."""
        endpoint = copy(call.message)
        check_naming(endpoint)
        wanted = call.query.get("endpointId", "")
        require(_ID.fullmatch(wanted), f"endpoint_id: {wanted!r} is invalid")
        number = wanted or new_number()
        endpoint.name = self.endpoints.name(call.where, number)
        endpoint.create_time = endpoint.update_time = datetime.now(UTC)
        if endpoint.dedicated_endpoint_enabled:
            place = f"{call.where['region']}-{PROJECT_NUMBER}"
            endpoint.dedicated_endpoint_dns = f"{number}.{place}.prediction.vertexai.goog"

        def work() -> Any:
            self.endpoints.add(endpoint.name, endpoint)
            return endpoint

        return self.operations.start(endpoint.name, types.CreateEndpointOperationMetadata(), work)

    def get(self, call: Call) -> Any:
        """Show an endpoint."""
        return self.endpoints.get(call.where)

    def list(self, call: Call) -> Any:
        """List endpoints."""
        found = self.endpoints.under(call.where)
        return page(found, call.query, "endpoints", types.ListEndpointsResponse)

    def update(self, call: Call) -> Any:
        """Change an endpoint: its traffic split, among others."""
        endpoint = self.get(call)
        if call.message.traffic_split:
            check_split(call.message.traffic_split, ids(endpoint))
        return updated(endpoint, call, ("display_name", "description", "labels", "traffic_split"))

    def delete(self, call: Call) -> Any:
        """Forget an endpoint that serves nothing."""
        endpoint = self.get(call)
        if endpoint.deployed_models:
            raise not_now(f"{endpoint.name} has deployed models: undeploy them first")
        self.endpoints.remove(call.where)
        return self.operations.start(endpoint.name, types.DeleteOperationMetadata(), lambda: None)

    def deploy(self, call: Call) -> Any:
        """Start a model; it is on the endpoint once it serves."""
        endpoint, request = self.get(call), call.message
        self.operations.check_idle(endpoint.name)
        deployed = copy(request.deployed_model)
        model = self.models.find(deployed.model)
        check_deployed(deployed)
        deployed.id = deployed.id or new_number()
        require(deployed.id not in ids(endpoint), f"deployed_model.id: {deployed.id} is taken")
        split = {deployed.id if key == "0" else key: value for key, value in request.traffic_split.items()}
        check_split(split, {*ids(endpoint), deployed.id})
        deployed.model, deployed.model_version_id = model.name, model.version_id
        deployed.display_name = deployed.display_name or model.display_name
        deployed.create_time = datetime.now(UTC)
        deployment = Deployment(deployed.id, endpoint.name, copy(model), copy(deployed))

        def work() -> Any:
            try:
                address = self.serve(deployment)
            except JobFailedError as error:
                raise RefusedError(400, str(error), "FAILED_PRECONDITION") from error
            with self._lock:
                self.running[deployed.id] = deployment, address
                endpoint.deployed_models.append(deployed)
                if split:
                    endpoint.traffic_split = split
                model.deployed_models.append(
                    types.DeployedModelRef(endpoint=endpoint.name, deployed_model_id=deployed.id)
                )
            return types.DeployModelResponse(deployed_model=deployed)

        return self.operations.start(endpoint.name, types.DeployModelOperationMetadata(), work)

    def undeploy(self, call: Call) -> Any:
        """Stop a model that gets no traffic (any more)."""
        endpoint, request = self.get(call), call.message
        self.operations.check_idle(endpoint.name)
        number, split = request.deployed_model_id, dict(request.traffic_split)
        known = ids(endpoint)
        if number not in known:
            raise missing(f"{endpoint.name} deployed model {number!r}")
        check_split(split, known)
        require(not split.get(number), f"traffic_split: {number} is to be undeployed and can't get traffic")
        if not split and len(known) > 1 and endpoint.traffic_split.get(number):
            raise not_now(f"Deployed model {number} has traffic: give a traffic_split without it")

        def work() -> Any:
            with self._lock:
                self._take_off(endpoint, number, split)
            return types.UndeployModelResponse()

        return self.operations.start(endpoint.name, types.UndeployModelOperationMetadata(), work)

    def _take_off(self, endpoint: Any, number: str, split: dict[str, int]) -> None:
        (gone,) = (deployed for deployed in endpoint.deployed_models if deployed.id == number)
        endpoint.deployed_models = [one for one in endpoint.deployed_models if one.id != number]
        rest = split or dict(endpoint.traffic_split)
        rest.pop(number, None)
        endpoint.traffic_split = rest if endpoint.deployed_models else {}
        model = self.models.find(f"{gone.model}@{gone.model_version_id}")
        model.deployed_models = [one for one in model.deployed_models if one.deployed_model_id != number]
        deployment, _ = self.running.pop(number)
        deployment.stop()

    def mutate(self, call: Call) -> Any:
        """Change how many replicas a deployed model has."""
        endpoint, change = self.get(call), call.message.deployed_model
        self.operations.check_idle(endpoint.name)
        for deployed in endpoint.deployed_models:
            if deployed.id == change.id:
                break
        else:
            raise missing(f"{endpoint.name} deployed model {change.id!r}")
        require(call.message.update_mask.paths, "Required field update_mask is not set.")
        resources = deployed.dedicated_resources
        least = change.dedicated_resources.min_replica_count or resources.min_replica_count
        most = change.dedicated_resources.max_replica_count or resources.max_replica_count
        require(least <= most, "min_replica_count must not be above max_replica_count")

        def work() -> Any:
            resources.min_replica_count, resources.max_replica_count = least, most
            return types.MutateDeployedModelResponse(deployed_model=deployed)

        return self.operations.start(endpoint.name, types.MutateDeployedModelOperationMetadata(), work)

    def stop(self) -> None:
        """Stop everything that serves."""
        for deployment, _ in self.running.values():
            deployment.stop()
        self.running.clear()


def ids(endpoint: Any) -> list[str]:
    """The deployed models' ids."""
    return [deployed.id for deployed in endpoint.deployed_models]


def check_deployed(deployed: Any) -> None:
    """Refuse a deployment that the service wouldn't start."""
    require(deployed.dedicated_resources, "Required field deployed_model.dedicated_resources is not set.")
    resources = deployed.dedicated_resources
    check_machine(resources.machine_spec, "deployed_model.dedicated_resources.machine_spec")
    require(resources.min_replica_count > 0, "dedicated_resources.min_replica_count must be above 0")
    most = resources.max_replica_count
    require(not most or most >= resources.min_replica_count, "max_replica_count is below min_replica_count")
    require(
        not deployed.id or (deployed.id.isdecimal() and len(deployed.id) <= 10),
        "deployed_model.id is invalid",
    )
    if deployed.service_account:
        check_service_account(deployed.service_account)
