"""How a model takes over an endpoint: at once, or as a canary that is promoted or rolled back.

Each of these, run again after it was killed anywhere, ends as if it hadn't been: what is done already isn't
done again. No model is taken off before another one answers for it.
"""

from typing import TYPE_CHECKING

from contracts.console import log
from contracts.errors import InputError
from vertex.models.deployment import is_alike
from vertex.models.endpoint import DEPLOY
from vertex.models.open_endpoint import OpenEndpoint
from vertex.models.traffic import beside, shared
from vertex.models.version import Version

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1.types import DeployedModel


def replace(endpoint: OpenEndpoint, wanted: "DeployedModel", version: Version) -> None:
    """Deploy a model for all requests, then take the others off."""
    found = _found(endpoint, wanted, version)
    if found is None:
        newest = endpoint.deploy(wanted, {"0": 100})
    else:
        log("deployed already", endpoint=endpoint.name, model=version.name)
        newest = found.id
        endpoint.share({newest: 100})
    _retire(endpoint, newest)


def check_canary(endpoint: OpenEndpoint, wanted: "DeployedModel", version: Version) -> None:
    """Refuse a canary that can't be.

    Raises:
        InputError: nothing else is deployed, or another canary.
    """
    found = _found(endpoint, wanted, version)
    others = _others(endpoint, found)
    if not others:
        if found is not None:
            raise InputError(f"{version.name} answers all requests to {endpoint.name}: no canary of it")
        raise InputError(
            f"nothing is deployed to {endpoint.name} that a canary could stand beside: leave --canary out"
        )
    newest = endpoint.deployed[-1]
    if found is not None and found.id != newest.id:
        raise InputError(
            f"{version.name} is what {newest.display_name} stands beside on {endpoint.name}: "
            f"{decision(endpoint.id)} decides on that first"
        )
    if found is None and len(others) > 1:
        raise InputError(
            f"{endpoint.name} has a canary, {newest.display_name}: {decision(endpoint.id)} "
            "decides on it first"
        )


def canary(endpoint: OpenEndpoint, wanted: "DeployedModel", version: Version, percent: int) -> None:
    """Deploy a model for `percent` of the requests, beside the one that is deployed.

    Raises:
        InputError: nothing else is deployed, or another canary.
    """
    check_canary(endpoint, wanted, version)
    found = _found(endpoint, wanted, version)
    shares = _shares(endpoint, _others(endpoint, found))
    if found is None:
        endpoint.deploy(wanted, beside(shares, "0", percent))
        return
    log("deployed already", endpoint=endpoint.name, model=version.name)
    endpoint.share(beside(shares, found.id, percent))


def decision(endpoint: str) -> str:
    """The commands that end a canary on the endpoint of this id."""
    return " or ".join(f'make {verb} VERTEX_ARGS="--endpoint {endpoint}"' for verb in ("promote", "rollback"))


def promote(endpoint: OpenEndpoint) -> None:
    """Give the newest model all requests, then take the others off.

    Raises:
        InputError: nothing is deployed.
    """
    if not endpoint.deployed:
        raise InputError(f"nothing is deployed to {endpoint.name}: {DEPLOY}, does it")
    newest = endpoint.deployed[-1]
    if len(endpoint.deployed) == 1:
        log("it is the only one already", endpoint=endpoint.name, model=newest.display_name)
    endpoint.share({newest.id: 100})
    _retire(endpoint, newest.id)


def roll_back(endpoint: OpenEndpoint) -> None:
    """Give the newest model's requests back to the others, then take it off.

    Raises:
        InputError: there is no other.
    """
    *others, newest = endpoint.deployed or [None]
    if newest is None or not others:
        only = f"only {newest.display_name}" if newest else "nothing"
        model = newest.model.rpartition("/")[2].partition("@")[0] if newest else "NAME"
        raise InputError(
            f"{only} is deployed to {endpoint.name}: there is no canary to take back; an earlier version: "
            f'make deploy RUN=vertex VERTEX_ARGS="--model {model}@VERSION --endpoint {endpoint.id}"'
        )
    endpoint.share(shared(_shares(endpoint, others)))
    endpoint.undeploy(newest)


def clear(endpoint: OpenEndpoint) -> None:
    """Take every model off, the one that answers last."""
    if not endpoint.deployed:
        log("nothing is deployed", endpoint=endpoint.name)
        return
    *others, last = sorted(endpoint.deployed, key=lambda model: endpoint.split.get(model.id, 0))
    if others:
        endpoint.share({last.id: 100})
    for model in (*others, last):
        endpoint.undeploy(model)


def _found(endpoint: OpenEndpoint, wanted: "DeployedModel", version: Version) -> "DeployedModel | None":
    return next((model for model in endpoint.deployed if is_alike(model, wanted, version)), None)


def _others(endpoint: OpenEndpoint, found: "DeployedModel | None") -> "list[DeployedModel]":
    return [model for model in endpoint.deployed if found is None or model.id != found.id]


def _shares(endpoint: OpenEndpoint, models: "list[DeployedModel]") -> dict[str, int]:
    return {model.id: endpoint.split.get(model.id, 0) for model in models}


def _retire(endpoint: OpenEndpoint, newest: str) -> None:
    for model in endpoint.deployed:
        if model.id != newest:
            endpoint.undeploy(model)
