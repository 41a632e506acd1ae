"""`python -m vertex register`: a blessed bundle as a version of a model in Vertex AI's registry."""

from typing import TYPE_CHECKING, Annotated

import typer

from contracts.console import log
from contracts.errors import InputError, StageError
from vertex.client import connect, explained
from vertex.models.changes import Changes, DryRun
from vertex.models.model import Servable, check_aliases, check_id, resource_id, servable, upload_request
from vertex.models.operations import settle
from vertex.models.version import Version, version_of, versions_of
from vertex.option_groups import grouped
from vertex.settings import Where

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1 import ModelServiceClient
    from google.cloud.aiplatform_v1.types import Model

EXAMPLES = """\b
Examples:
  python -m vertex register --model gs://my-bucket/models/digits/champion.json --alias champion
  python -m vertex register --model gs://my-bucket/models/flowers/vgg16 --name flowers --gpu
  python -m vertex register --model gs://my-bucket/models/digits/vgg16 --dry-run
"""

Aliases = Annotated[
    list[str] | None,
    typer.Option("--alias", metavar="NAME", help="By which the version is found; can be repeated."),
]


def register(
    served: Servable, changes: Changes, name: str | None = None, aliases: list[str] | None = None
) -> Version:
    """Register a bundle, unless it is already; either way the version has the aliases.

    Args:
        served: the bundle and its image.
        changes: how requests are made.
        name: the model's id; None: chrysalis-<data set>.
        aliases: the version's.

    Raises:
        InputError: a name can't be one, or Vertex AI refuses.
        StageError: it failed.
    """
    from google.cloud.aiplatform_v1 import ModelServiceClient

    name, aliases = _checked(served, name, aliases)
    client = connect(ModelServiceClient, changes.settings)
    known, versions = _look(client, changes, served, name)
    if known is None:
        uploaded = _upload(client, changes, served, name, aliases, versions)
        if uploaded and changes.dry_run:
            return uploaded
        # Another command may have uploaded the same, or the first version: the oldest counts for both.
        known, versions = _look(client, changes, served, name)
        if uploaded and (known is None or known.version_id == uploaded.number):
            return uploaded
        if known is None:
            again = _upload(client, changes, served, name, aliases, versions)
            if again is None:
                raise StageError(f"others register versions of {name} all the time: try again later")
            return again
    log("registered already", model=name, version=known.version_id, bundle=served.uri)
    _give_aliases(client, changes, known, aliases)
    return version_of(known, changes.settings)


def foresee(served: Servable, changes: Changes, name: str | None, aliases: list[str] | None) -> Version:
    """Tell which version `register` would give; nothing is registered.

    Raises:
        InputError: a name can't be one.
    """
    from google.cloud.aiplatform_v1 import ModelServiceClient

    name, _ = _checked(served, name, aliases)
    known, versions = _look(connect(ModelServiceClient, changes.settings), changes, served, name)
    if known is not None:
        return version_of(known, changes.settings)
    return _version(served, changes, name, _next_number(versions))


def _checked(served: Servable, name: str | None, aliases: list[str] | None) -> tuple[str, list[str]]:
    name, aliases = name or resource_id(served.bundle.dataset), aliases or []
    check_id("--name", name)
    check_aliases(aliases)
    return name, aliases


def _next_number(versions: "list[Model]") -> str:
    return str(1 + max((int(version.version_id) for version in versions), default=0))


def _version(served: Servable, changes: Changes, name: str, number: str) -> Version:
    return Version(f"{changes.settings.parent}/models/{name}", number, served.image, served.bundle.dataset)


def _look(
    client: "ModelServiceClient", changes: Changes, served: Servable, name: str
) -> "tuple[Model | None, list[Model]]":
    """Find the oldest version that is the same, and all versions, once no upload is under way."""
    whole = f"{changes.settings.parent}/models/{name}"
    if not changes.dry_run:
        settle(client, whole)
    with explained(f"looking for versions of {whole}"):
        versions = sorted(versions_of(client, whole), key=lambda version: int(version.version_id))
    same = (version for version in versions if served.mark in version.version_description)
    return next(same, None), versions


def _upload(
    client: "ModelServiceClient",
    changes: Changes,
    served: Servable,
    name: str,
    aliases: list[str],
    versions: "list[Model]",
) -> Version | None:
    """Upload a version; None: another command has just made the model, which must be named as the parent."""
    from google.api_core import exceptions

    parent = changes.settings.parent
    try:
        answer = changes(
            f"registering {served.uri} as {name}",
            client.upload_model,
            upload_request(served, changes.settings, name, aliases, exists=bool(versions)),
            f"{parent}/models:upload",
            in_path=("parent",),
        )
    except InputError as error:
        if isinstance(error.__cause__, exceptions.Conflict) and not versions:
            return None
        raise
    number = answer.model_version_id if answer else _next_number(versions)
    log("would be registered" if changes.dry_run else "registered", model=name, version=number)
    return _version(served, changes, name, number)


def _give_aliases(
    client: "ModelServiceClient", changes: Changes, version: "Model", aliases: list[str]
) -> None:
    from google.cloud.aiplatform_v1 import types

    new = [alias for alias in aliases if alias not in version.version_aliases]
    if not new:
        return
    name = f"{version.name.partition('@')[0]}@{version.version_id}"
    changes(
        f"giving {name} its aliases",
        client.merge_version_aliases,
        types.MergeVersionAliasesRequest(name=name, version_aliases=new),
        f"{name}:mergeVersionAliases",
        in_path=("name",),
    )
    log("aliases given", version=version.version_id, aliases=new)


@grouped
def register_cli(
    *,
    model: Annotated[str, typer.Option(help="A blessed bundle, or champion.json: gs://bucket/….")],
    name: Annotated[
        str | None, typer.Option(help="The model's id.  [default: chrysalis-DATASET]", show_default=False)
    ] = None,
    aliases: Aliases = None,
    gpu: Annotated[bool, typer.Option("--gpu", help="To be served on GPUs, by TensorFlow.")] = False,
    where: Where,
    dry_run: DryRun = False,
) -> None:
    """Register a blessed bundle as a version of a model, with the server's image.

    The same bundle in the same image is registered once.
    """
    settings = where.settings()
    register(servable(model, settings, gpu=gpu), Changes(settings, dry_run=dry_run), name, aliases)
