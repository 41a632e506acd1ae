"""Cloud Run: the service of deploy/cloudrun, and the function (of the 2nd generation) of deploy/function."""

from typing import Any, Final

from contracts.errors import InputError
from vertex.models.model import DIGEST_DIGITS, check_reachable
from vertex.registry import pinned
from vertex.targets.order import Order
from vertex.targets.plan import Command, Plan
from vertex.targets.templates import rendered, template

FILE: Final = "service.yaml"


def service(order: Order) -> Plan:
    """Plan the server with all of its routes, behind an API key.

    Raises:
        InputError: the bundle is on this machine only, or the image wasn't pushed.
    """
    from serving.settings import variable

    document, container = _filled("cloudrun/service.yaml", order, "serving")
    reference = _setting(container, "api_key")["valueFrom"]["secretKeyRef"]
    name, _, version = (order.key_secret or "").partition(":")
    if name:
        reference.update(name=name, key=version or "latest")
    if order.allow_buckets:
        container["env"].append({"name": variable("allow_buckets"), "value": ",".join(order.allow_buckets)})
    secret = reference["name"]
    needs = (
        f"it needs an API key in Secret Manager (gcloud secrets versions add {secret} "
        f"--data-file=FILE --project {order.settings.project}), which {order.account} may read"
    )
    return _plan(document, order, needs)


def function(order: Order) -> Plan:
    """Plan the function get-prediction, which classifies images of buckets.

    Raises:
        InputError: there is no bucket that it may read, the bundle is on this machine only, or no image.
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
    container["image"] = pinned(order.settings, image)
    _setting(container, "model")["value"] = order.model
    return document, container


def _setting(container: dict[str, Any], field: str) -> dict[str, Any]:
    """Give the variable of one of the server's settings."""
    from serving.settings import variable

    variables: dict[str, dict[str, Any]] = {entry["name"]: entry for entry in container["env"]}
    return variables[variable(field)]


def _plan(document: dict[str, Any], order: Order, needs: str = "") -> Plan:
    where = ("--project", order.settings.project, "--region", order.settings.region)
    command = Command(("gcloud", "run", "services", "replace", FILE, *where), needs=needs)
    return Plan([command], {FILE: rendered(document)})
