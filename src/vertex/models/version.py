"""A version of a registered model: how it is called, and found."""

from typing import TYPE_CHECKING, NamedTuple

from contracts.errors import InputError
from vertex.client import REQUEST_SECONDS, connect, explained, named, patience
from vertex.settings import Settings

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1 import ModelServiceClient
    from google.cloud.aiplatform_v1.types import Model


class Version(NamedTuple):
    """A version of a registered model."""

    model: str
    """The model's whole name, projects/…/models/ID."""
    number: str
    image: str
    """What serves it."""
    dataset: str

    @property
    def model_id(self) -> str:
        """The model's own name."""
        return self.model.rpartition("/")[2]

    @property
    def name(self) -> str:
        """The version's whole name."""
        return f"{self.model}@{self.number}"

    def is_of(self, model: str, number: str) -> bool:
        """Whether these, as the service tells them of what is deployed, are this version's."""
        return (self.model_id, self.number) == (model.rpartition("/")[2].partition("@")[0], number)


def find_version(model: str, settings: Settings) -> Version:
    """Look a registered version up: NAME@VERSION, NAME@ALIAS, or NAME for the default one.

    Raises:
        InputError: there is none.
    """
    from google.api_core import exceptions
    from google.cloud.aiplatform_v1 import ModelServiceClient

    client = connect(ModelServiceClient, settings)
    with explained(f"looking for the model {model}"):
        try:
            name = f"{settings.parent}/models/{model}"
            found = named(client.get_model(name=name, retry=patience(), timeout=REQUEST_SECONDS))
        except exceptions.NotFound as error:
            raise InputError(
                f"no model {model} in {settings.parent}: expected --model gs://bucket/…, or one that is "
                "registered, as in chrysalis-digits@2"
            ) from error
    return version_of(found, settings)


def versions_of(client: "ModelServiceClient", name: str) -> "list[Model]":
    """List a model's versions; there are none of a model that there isn't."""
    from google.api_core import exceptions

    with explained(f"looking for versions of {name}"):
        try:
            return list(client.list_model_versions(name=name, retry=patience(), timeout=REQUEST_SECONDS))
        except exceptions.NotFound:
            return []


def version_of(model: "Model", settings: Settings) -> Version:
    """Take a version from what the service tells of it."""
    # The service tells its project by a number.
    model_id = model.name.rpartition("/")[2].partition("@")[0]
    return Version(
        f"{settings.parent}/models/{model_id}",
        model.version_id,
        model.container_spec.image_uri,
        model.labels.get("dataset", ""),
    )
