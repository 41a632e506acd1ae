"""A bundle as a model of Vertex AI's registry: the very message that uploads a version of it."""

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from contracts import storage
from contracts.bundle import ModelBundle
from contracts.errors import InputError
from vertex.jobs.job import APP, label
from vertex.registry import pinned
from vertex.settings import Settings

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1.types import Model, ModelContainerSpec, UploadModelRequest

IMAGES: Final = ("serving", "serving-cuda")
"""What serves on CPUs, and on GPUs."""
PORT: Final = 8080
STARTUP_SECONDS: Final = 600
"""Within which the bundle must be fetched, loaded and replayed."""

ALIAS: Final = r"[a-z][a-zA-Z0-9-]{0,126}[a-z0-9]"
ID_LENGTH: Final = 63
DIGEST_DIGITS: Final = 32
"""Of a digest's 64, those in a label, which has room for 63."""


class Servable(NamedTuple):
    """A blessed bundle in a bucket, and what serves it."""

    uri: str
    bundle: ModelBundle
    image: str
    """The whole reference, by its digest where the registry tells it."""

    @property
    def mark(self) -> str:
        """What tells versions apart: the same bundle in the same image is the same version."""
        return f"digest {self.bundle.digest} in {self.image}"


def servable(model: str, settings: Settings, *, gpu: bool) -> Servable:
    """Find the bundle that `model` names, and the image for it.

    Args:
        model: a bundle's folder, or a champion.json that names one.
        settings: where images are.
        gpu: whether it is to run on GPUs.

    Raises:
        InputError: there is none, the gate didn't bless it, it isn't in a bucket, or the image wasn't pushed.
    """
    check_reachable(model)
    uri, bundle = blessed(model)
    return Servable(uri, bundle, pinned(settings, IMAGES[gpu]))


def blessed(model: str) -> tuple[str, ModelBundle]:
    """Find the blessed bundle that `model`, its folder or a champion.json, names: its folder, and it.

    Raises:
        InputError: there is none, or the gate didn't bless it.
    """
    from serving.source import find_source

    source = find_source(model)
    bundle = ModelBundle.read(source.uri)
    run = re.fullmatch("(?P<root>.+)/models/(?P<dataset>[^/]+)/(?P<run_id>.+)", source.uri)
    if bundle.gate is None and run:
        vertex = "RUN=vertex " if storage.is_remote(source.uri) else ""
        raise InputError(
            f"the bundle {source.uri} wasn't judged: make gate {vertex}ROOT={run['root']} "
            f"DATASET={run['dataset']} RUN_ID={run['run_id']} does it"
        )
    source.check(bundle, require_blessed=True)
    return source.uri, bundle


def check_reachable(model: str) -> None:
    """Refuse a bundle that only this machine can read.

    Raises:
        InputError: it is such.
    """
    if not storage.is_remote(model):
        raise InputError(
            f"Google Cloud reads models from buckets: expected --model gs://bucket/…, got {model!r}; copy "
            "the data set's models folder there with gcloud storage cp --recursive"
        )


def resource_id(dataset: str) -> str:
    """Name the model and the endpoint of a data set, as the service wants ids: chrysalis-digits."""
    return re.sub(r"[^a-z0-9]+", "-", f"chrysalis-{dataset.lower()}")[:ID_LENGTH].strip("-")


def check_id(option: str, value: str) -> None:
    """Refuse what can't be a resource's id.

    Raises:
        InputError: it has other letters, or too many.
    """
    if not re.fullmatch(rf"[a-z]([a-z0-9-]{{0,{ID_LENGTH - 2}}}[a-z0-9])?", value):
        raise InputError(
            f"expected {option} of at most {ID_LENGTH} lower-case letters, digits and -, as in "
            f"chrysalis-digits; got {value!r}"
        )


def check_aliases(aliases: list[str]) -> None:
    """Refuse aliases that the service doesn't take.

    Raises:
        InputError: one of them is such.
    """
    for alias in aliases:
        if not re.fullmatch(ALIAS, alias):
            raise InputError(f"expected --alias as in champion or v2-large, got {alias!r}")


def upload_request(
    served: Servable, settings: Settings, model_id: str, aliases: list[str], *, exists: bool
) -> "UploadModelRequest":
    """Build what uploads the bundle as a model, or as a further version of the one that `exists`."""
    from google.cloud.aiplatform_v1 import types

    request = types.UploadModelRequest(
        parent=settings.parent, model=_model(served, model_id, aliases), model_id=None if exists else model_id
    )
    if exists:
        request.parent_model = f"{settings.parent}/models/{model_id}"
    return request


def _model(served: Servable, model_id: str, aliases: list[str]) -> "Model":
    from google.cloud.aiplatform_v1 import types

    bundle = served.bundle
    metrics = ", ".join(f"{name} {value:.4g}" for name, value in sorted(bundle.metrics.items()))
    return types.Model(
        display_name=model_id,
        description=f"{bundle.dataset}: {len(bundle.class_names)} classes of images, by Chrysalis",
        version_description=f"{served.mark}; {bundle.name} ({bundle.architecture}): {metrics}",
        version_aliases=aliases,
        artifact_uri=served.uri,
        container_spec=container(served),
        labels=APP
        | {
            "dataset": label(bundle.dataset),
            "run-id": label(bundle.name),
            "model": label(bundle.architecture),
            "digest": bundle.digest[:DIGEST_DIGITS],
        },
    )


def container(served: Servable) -> "ModelContainerSpec":
    """Say how the server is run, asked and watched; its routes are its own defaults."""
    from google.cloud.aiplatform_v1 import types

    from serving.settings import Settings as ServerSettings
    from serving.settings import variable

    fields = ServerSettings.model_fields
    health_route = fields["vertex_health_route"].default

    def probe(**times: Any) -> types.Probe:
        return types.Probe(http_get=types.Probe.HttpGetAction(path=health_route, port=PORT), **times)

    return types.ModelContainerSpec(
        image_uri=served.image,
        env=[types.EnvVar(name=variable("require_blessed"), value="1")],
        ports=[types.Port(container_port=PORT)],
        predict_route=fields["vertex_predict_route"].default,
        health_route=health_route,
        # The service wants no timeout below its period.
        startup_probe=probe(period_seconds=5, timeout_seconds=5, failure_threshold=STARTUP_SECONDS // 5),
        health_probe=probe(period_seconds=10, timeout_seconds=10, failure_threshold=3),
    )
