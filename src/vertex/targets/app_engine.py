"""App Engine's flexible environment: a service made from deploy/appengine."""

from typing import Final

from vertex.models.model import check_reachable
from vertex.registry import pinned
from vertex.targets.order import Order
from vertex.targets.plan import Command, Plan
from vertex.targets.templates import rendered, template

FILE: Final = "app.yaml"


def service(order: Order) -> Plan:
    """Plan the server; whoever may ask is for Identity-Aware Proxy to say.

    Raises:
        InputError: the bundle is on this machine only, or the image wasn't pushed.
    """
    from serving.settings import variable

    check_reachable(order.model)
    document = template("appengine/app.yaml")
    variables = document["env_variables"]
    variables[variable("model")] = order.model
    if order.allow_buckets:
        variables[variable("allow_buckets")] = ",".join(order.allow_buckets)
    if order.service_account:
        document["service_account"] = order.service_account
    settings = order.settings
    image = ("--image-url", pinned(settings, "serving"))
    command = Command(
        ("gcloud", "app", "deploy", FILE, *image, "--project", settings.project, "--quiet"),
        needs=(
            f"it needs an application (gcloud app create --project {settings.project}), in it a service "
            f"called default before {document['service']}, and the API appengineflex.googleapis.com"
        ),
    )
    return Plan([command], {FILE: rendered(document)})
