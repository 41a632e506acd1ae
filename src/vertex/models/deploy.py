"""`python -m vertex deploy`: put a blessed bundle into service, on Vertex AI or elsewhere."""

from collections.abc import Callable
from typing import Annotated

import typer

from contracts import storage
from contracts.console import log
from contracts.errors import InputError
from vertex.client import connect
from vertex.jobs.job import APP, label
from vertex.models import rollout
from vertex.models.changes import Changes, DryRun
from vertex.models.deploy_options import Elsewhere, OnVertex, ServingAccount, Target
from vertex.models.deployment import Resources, check_image, deployed_model
from vertex.models.model import Servable, blessed, resource_id, servable
from vertex.models.open_endpoint import OpenEndpoint
from vertex.models.register import foresee, register
from vertex.models.version import Version, find_version
from vertex.option_groups import grouped
from vertex.settings import Settings, Where
from vertex.targets import app_engine, aws_lambda, cloud_run
from vertex.targets.order import Order
from vertex.targets.plan import carry_out, show

EXAMPLES = """\b
Examples:
  python -m vertex deploy --model gs://my-bucket/models/digits/champion.json
  python -m vertex deploy --model gs://my-bucket/models/digits/vgg16 --canary 10
  python -m vertex deploy --model chrysalis-digits@2 --max-replicas 5
  python -m vertex deploy --model gs://my-bucket/models/flowers/vgg16 --gpu 1 --accelerator NVIDIA_L4
  python -m vertex deploy --target cloudrun --model gs://my-bucket/models/digits/champion.json --dry-run
  python -m vertex deploy --target function --allow-bucket my-photos --model gs://my-bucket/models/digits/vgg16
"""


def deploy_to_vertex(
    model: str,
    options: OnVertex,
    resources: Resources,
    settings: Settings,
    *,
    service_account: str | None = None,
    dry_run: bool = False,
) -> None:
    """Register a model unless it is, and deploy it to an endpoint, which is made unless it is there.

    Args:
        model: a bundle or champion in a bucket, or NAME[@VERSION] of the registry.
        options: the endpoint, and how the model takes it over.
        resources: on what it runs.
        settings: whose service it is.
        service_account: what it runs as; None: Vertex AI's own.
        dry_run: print the requests, and send none that changes anything.

    Raises:
        InputError: the model can't be deployed so.
        StageError: it didn't come up, or the service failed.
    """
    from google.cloud.aiplatform_v1 import EndpointServiceClient

    changes = Changes(settings, dry_run=dry_run)
    client = connect(EndpointServiceClient, settings)
    source = _source(model, options, settings, gpu=resources.gpu > 0)
    # What can't be is refused before anything is registered.
    version = _version(source, options, changes, foresee)
    check_image(version, resources)
    wanted = deployed_model(version, resources, service_account)
    name = options.endpoint or (resource_id(version.dataset) if version.dataset else version.model_id)
    foreseen = OpenEndpoint.foreseen(client, changes, name)
    if options.canary is not None:
        rollout.check_canary(foreseen, wanted, version)

    version = _version(source, options, changes, register)
    wanted = deployed_model(version, resources, service_account)
    labels = APP | {"dataset": label(version.dataset)}
    endpoint = OpenEndpoint.found_or_created(client, changes, name, labels, dedicated=not options.shared)
    if options.canary is None:
        rollout.replace(endpoint, wanted, version)
    else:
        rollout.canary(endpoint, wanted, version, options.canary)
    if not dry_run:
        then = {} if options.canary is None else {"then": rollout.decision(endpoint.id)}
        ask = f'make predict RUN=vertex ARGS="--endpoint {endpoint.id}" IMAGE=photo.jpg'
        log("in service", ask=ask, **then)


def _source(model: str, options: OnVertex, settings: Settings, *, gpu: bool) -> Version | Servable:
    if not storage.is_remote(model) and "/" not in model and not model.startswith("."):
        for flag, given in {"--name": options.name, "--alias": options.aliases}.items():
            if given:
                raise InputError(f"{flag} is for a bundle that is to be registered; {model} is")
        return find_version(model, settings)
    return servable(model, settings, gpu=gpu)


def _version(
    source: Version | Servable, options: OnVertex, changes: Changes, versioned: Callable[..., Version]
) -> Version:
    if isinstance(source, Version):
        return source
    return versioned(source, changes, options.name, options.aliases)


def deploy_elsewhere(
    target: Target,
    model: str,
    options: Elsewhere,
    where: Where,
    *,
    service_account: str | None = None,
    dry_run: bool = False,
) -> None:
    """Deploy to another target than Vertex AI, or print what would be run for it.

    Raises:
        InputError: something that the target needs is missing, or the bundle isn't blessed.
        StageError: one of its commands failed.
    """
    act = show if dry_run else carry_out
    uri, bundle = blessed(model)
    if target is Target.LAMBDA:
        with aws_lambda.function(uri, bundle, options.ecr, dry_run=dry_run) as plan:
            act(plan)
        return
    plans = {
        Target.CLOUD_RUN: cloud_run.service,
        Target.FUNCTION: cloud_run.function,
        Target.APP_ENGINE: app_engine.service,
    }
    order = Order(
        settings=where.settings(),
        model=model,
        bundle=bundle,
        service_account=service_account,
        key_secret=options.key_secret,
        allow_buckets=tuple(options.allow_bucket or ()),
    )
    act(plans[target](order))


@grouped
def deploy_cli(
    *,
    model: Annotated[
        str,
        typer.Option(help="A blessed bundle or champion.json, gs://bucket/…; vertex: also NAME@VERSION."),
    ],
    target: Annotated[Target, typer.Option(help="Where.")] = Target.VERTEX,
    service_account: ServingAccount = None,
    on_vertex: OnVertex,
    resources: Resources,
    elsewhere: Elsewhere,
    where: Where,
    dry_run: DryRun = False,
) -> None:
    """Put a blessed bundle into service.

    On Vertex AI it takes all requests to its endpoint once it is up, and what was deployed before goes; with
    --canary both stay, until python -m vertex promote or rollback. The same command again changes nothing.
    """
    if target is Target.VERTEX:
        deploy_to_vertex(
            model,
            on_vertex,
            resources,
            where.settings(),
            service_account=service_account,
            dry_run=dry_run,
        )
    else:
        deploy_elsewhere(target, model, elsewhere, where, service_account=service_account, dry_run=dry_run)
