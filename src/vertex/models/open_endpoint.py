"""An endpoint whose deployments are changed, one request at a time."""

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from contracts.console import log
from vertex.client import explained
from vertex.models.changes import Changes
from vertex.models.endpoint import create, existing, find
from vertex.models.model import check_id
from vertex.models.operations import settle

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1 import EndpointServiceClient
    from google.cloud.aiplatform_v1.types import DeployedModel, Endpoint


class OpenEndpoint:
    """An endpoint whose deployments are to change. What was begun by others is waited for first."""

    def __init__(self, client: "EndpointServiceClient", changes: Changes, endpoint: "Endpoint") -> None:
        """Take an endpoint as it is known; with a dry run one that isn't there yet, too."""
        # The service tells its project by a number.
        endpoint.name = f"{changes.settings.parent}/endpoints/{endpoint.name.rpartition('/')[2]}"
        self._client, self._changes, self.endpoint = client, changes, endpoint

    @classmethod
    def found(cls, client: "EndpointServiceClient", changes: Changes, name: str) -> "OpenEndpoint":
        """Take the endpoint called `name`, once nothing is under way on it.

        Raises:
            InputError: there is none, or several.
        """
        endpoint = existing(client, changes.settings, name)
        if not changes.dry_run:
            settle(client, endpoint.name)
            endpoint = existing(client, changes.settings, endpoint.name)
        return cls(client, changes, endpoint)

    @classmethod
    def foreseen(cls, client: "EndpointServiceClient", changes: Changes, name: str) -> "OpenEndpoint":
        """Take the endpoint called `name`, or what `found_or_created` would make; nothing is made.

        Raises:
            InputError: several are called so, or none can be.
        """
        from google.cloud.aiplatform_v1 import types

        if find(client, changes.settings, name) is not None:
            return cls.found(client, changes, name)
        check_id("--endpoint", name)
        return cls(client, changes, types.Endpoint(name=name, display_name=name))

    @classmethod
    def found_or_created(
        cls,
        client: "EndpointServiceClient",
        changes: Changes,
        name: str,
        labels: Mapping[str, str],
        *,
        dedicated: bool,
    ) -> "OpenEndpoint":
        """Take the endpoint called `name`, or make it.

        Raises:
            InputError: several are called so, or none can be.
        """
        found = find(client, changes.settings, name)
        if found is None:
            endpoint = create(client, changes, name, labels, dedicated=dedicated)
            if changes.dry_run:
                return cls(client, changes, endpoint)
        elif found.dedicated_endpoint_enabled != dedicated:
            kind = "shared" if dedicated else "dedicated"
            log(f"the endpoint stays {kind}: one under another name would be new", endpoint=name)
        return cls.found(client, changes, name)

    @property
    def name(self) -> str:
        """What people call it."""
        return str(self.endpoint.display_name) or self.id

    @property
    def id(self) -> str:
        """What commands find it by: a display name may be any text, and another endpoint's, too."""
        return str(self.endpoint.name.rpartition("/")[2])

    @property
    def deployed(self) -> "list[DeployedModel]":
        """What is deployed, the newest last."""
        with explained(f"looking what is deployed to {self.name}"):
            return sorted(self.endpoint.deployed_models, key=lambda model: model.create_time.timestamp())

    @property
    def split(self) -> dict[str, int]:
        """Who gets how many percent of the requests."""
        return {model: share for model, share in self.endpoint.traffic_split.items() if share}

    def deploy(self, model: "DeployedModel", split: Mapping[str, int]) -> str:
        """Deploy a model, and share the requests out once it is up; in `split` its id is "0".

        Returns:
            Its id; with a dry run "0".
        """
        from google.cloud.aiplatform_v1 import types

        request = types.DeployModelRequest(
            endpoint=self.endpoint.name, deployed_model=model, traffic_split=dict(split)
        )
        answer = self._changes(
            f"deploying {model.display_name} to {self.name}",
            self._client.deploy_model,
            request,
            f"{self.endpoint.name}:deployModel",
            in_path=("endpoint",),
            logs=self.logs_link(),
        )
        return str(answer.deployed_model.id) if answer else "0"

    def share(self, split: Mapping[str, int]) -> None:
        """Share the requests out anew; nothing is sent where it is so already."""
        from google.cloud.aiplatform_v1 import types
        from google.protobuf.field_mask_pb2 import FieldMask

        wanted = {model: share for model, share in split.items() if share}
        if wanted == self.split:
            return
        endpoint = types.Endpoint(name=self.endpoint.name, etag=self.endpoint.etag, traffic_split=wanted)
        request = types.UpdateEndpointRequest(
            endpoint=endpoint, update_mask=FieldMask(paths=["traffic_split"])
        )
        self._changes(
            f"sharing the requests to {self.name} out",
            self._client.update_endpoint,
            request,
            f"{self.endpoint.name}?updateMask=trafficSplit",
            method="PATCH",
            body="endpoint",
            in_path=("name",),
        )
        if not self._changes.dry_run:
            names = {model.id: model.display_name for model in self.deployed}
            percent = {names[model]: share for model, share in wanted.items()}
            log("requests are shared out", endpoint=self.name, percent=percent)

    def undeploy(self, model: "DeployedModel") -> None:
        """Take a model off that gets no requests any more."""
        from google.cloud.aiplatform_v1 import types

        self._changes(
            f"undeploying {model.display_name} from {self.name}",
            self._client.undeploy_model,
            types.UndeployModelRequest(endpoint=self.endpoint.name, deployed_model_id=model.id),
            f"{self.endpoint.name}:undeployModel",
            in_path=("endpoint",),
        )

    def delete(self) -> None:
        """Delete the endpoint, which mustn't have any models."""
        from google.cloud.aiplatform_v1 import types

        self._changes(
            f"deleting the endpoint {self.name}",
            self._client.delete_endpoint,
            types.DeleteEndpointRequest(name=self.endpoint.name),
            self.endpoint.name,
            method="DELETE",
            in_path=("name",),
        )

    def logs_link(self) -> str:
        """The containers' logs in the Google Cloud console."""
        project = self.endpoint.name.split("/")[1]
        query = quote(
            f'resource.type="aiplatform.googleapis.com/Endpoint" resource.labels.endpoint_id="{self.id}"'
        )
        return f"https://console.cloud.google.com/logs/query;query={query}?project={project}"
