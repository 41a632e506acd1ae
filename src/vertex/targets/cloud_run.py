"""Cloud Run: the service of deploy/cloudrun, and the function (of the 2nd generation) of deploy/function."""

from typing import Any, Final

from contracts.errors import InputError
from vertex.models.model import DIGEST_DIGITS, check_reachable
from vertex.targets.order import Order
from vertex.targets.plan import Command, Plan
from vertex.targets.templates import rendered, template

FILE: Final = "service.yaml"


def service(order: Order) -> Plan:
    """Plan the server with all of its routes, behind an API key.

    Raises:
        InputError: the bundle is on this machine only.
    """
    from serving.settings import variable

    document, container = _filled("cloudrun/service.yaml", order, "serving")
    name, _, version = (order.key_secret or "").partition(":")
    if name:
        reference = _setting(container, "api_key")["valueFrom"]["secretKeyRef"]
        reference.update(name=name, key=version or "latest")
    if order.allow_buckets:
        container["env"].append({"name": variable("allow_buckets"), "value": ",".join(order.allow_buckets)})
    return _plan(document, order)


def function(order: Order) -> Plan:
    """Plan the function get-prediction, which classifies images of buckets.

    Raises:
        InputError: there is no bucket that it may read, or the bundle is on this machine only.
    """
    if not order.allow_buckets:
        raise InputError(
            "the function classifies images of buckets: expected --allow-bucket BUCKET, once for each"
        )
    document, container = _filled("function/service.yaml", order, "serving-function")
    _setting(container, "allow_buckets")["value"] = ",".join(order.allow_buckets)
    return _plan(document, order)


def _filled(name: str, order: Order, image: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the document of a service, and in it the container."""
    check_reachable(order.model)
    document = template(name)
    pod = document["spec"]["template"]
    # The same document would make no new revision: another bundle behind the same champion.json must.
    pod["metadata"]["labels"] = {"app": "chrysalis", "digest": order.bundle.digest[:DIGEST_DIGITS]}
    pod["spec"]["serviceAccountName"] = order.account
    (container,) = pod["spec"]["containers"]
    container["image"] = order.settings.image(image)
    _setting(container, "model")["value"] = order.model
    return document, container


def _setting(container: dict[str, Any], field: str) -> dict[str, Any]:
    """Give the variable of one of the server's settings."""
    from serving.settings import variable

    variables: dict[str, dict[str, Any]] = {entry["name"]: entry for entry in container["env"]}
    return variables[variable(field)]


def _plan(document: dict[str, Any], order: Order) -> Plan:
    where = ("--project", order.settings.project, "--region", order.settings.region)
    command = Command(("gcloud", "run", "services", "replace", FILE, *where))
    return Plan([command], {FILE: rendered(document)})
