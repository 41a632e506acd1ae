"""The model registry: models, their versions and aliases."""

import re
from datetime import UTC, datetime
from typing import Any

from google.cloud.aiplatform_v1 import types

from rehearsal.vertex_ai.bodies import copy
from rehearsal.vertex_ai.checks import check_bucket, check_container, check_naming, check_probe
from rehearsal.vertex_ai.collection import Collection, new_number, page
from rehearsal.vertex_ai.errors import RefusedError, invalid, missing, not_now, require
from rehearsal.vertex_ai.operations import Operations
from rehearsal.vertex_ai.routes import LOCATION, Call, Route
from rehearsal.vertex_ai.updates import updated

_ALIAS = re.compile(r"[a-z][a-zA-Z0-9-]{0,126}[a-zA-Z0-9]")


class Models:
    """Each model is a list of versions; `default` is an alias that one of them always has."""

    def __init__(self, operations: Operations) -> None:
        self.operations = operations
        self.models: Collection[list[Any]] = Collection("models")

    def routes(self) -> list[Route]:
        """Who answers what."""
        several, one = f"{LOCATION}/models", f"{LOCATION}/models/{{id}}"
        merge = types.MergeVersionAliasesRequest
        return [
            Route("POST", f"{several}:upload", self.upload, types.UploadModelRequest, creates=True),
            Route("GET", several, self.list),
            Route("GET", f"{one}:listVersions", self.list_versions),
            Route("POST", f"{one}:mergeVersionAliases", self.merge_aliases, merge),
            Route("DELETE", f"{one}:deleteVersion", self.delete_version),
            Route("GET", one, self.get),
            Route("PATCH", one, self.update, types.Model),
            Route("DELETE", one, self.delete),
        ]

    def upload(self, call: Call) -> Any:
        """Take a model, or a new version of one; it is there once the operation is done."""
        request, model = call.message, copy(call.message.model)
        check_model(model)
        parent = request.parent_model.partition("@")[0]
        if parent:
            self.models.named(parent)
        wanted = request.model_id
        require(re.fullmatch(r"(?:[a-z_][a-z0-9_-]{0,62})?", wanted), f"model_id: {wanted!r} is invalid")
        name = self.models.name(call.where, parent.rpartition("/")[2] or wanted or new_number())
        if not parent and name in self.models.items:
            raise RefusedError(409, f"The model {name} already exists: name it as parent_model")
        metadata = types.UploadModelOperationMetadata()
        return self.operations.start(name, metadata, lambda: self._uploaded(name, model))

    def _uploaded(self, name: str, model: Any) -> Any:
        versions = self.models.items.setdefault(name, [])
        model.name = name
        model.version_id = str(max((int(version.version_id) for version in versions), default=0) + 1)
        model.create_time = versions[0].create_time if versions else datetime.now(UTC)
        model.version_create_time = model.version_update_time = model.update_time = datetime.now(UTC)
        model.supported_deployment_resources_types = ["DEDICATED_RESOURCES"]
        aliases = list(model.version_aliases)
        if not versions and "default" not in aliases:
            aliases.append("default")
        model.version_aliases = []
        versions.append(model)
        give_aliases(versions, model, aliases)
        return types.UploadModelResponse(model=name, model_version_id=model.version_id)

    def find(self, name: str) -> Any:
        """The version that projects/…/models/ID[@VERSION or @ALIAS] names."""
        plain, _, version = name.partition("@")
        for model in self.models.named(plain):
            if (version or "default") in (model.version_id, *model.version_aliases):
                return model
        raise missing(name)

    def get(self, call: Call) -> Any:
        """Show a version."""
        return self.find(self.models.name(call.where))

    def list(self, call: Call) -> Any:
        """List the default versions."""
        names = [versions[0].name for versions in self.models.under(call.where) if versions]
        return page([self.find(name) for name in names], call.query, "models", types.ListModelsResponse)

    def list_versions(self, call: Call) -> Any:
        """List all versions of a model, newest first."""
        plain = {**call.where, "id": call.where["id"].partition("@")[0]}
        versions = list(reversed(self.models.get(plain)))
        return page(versions, call.query, "models", types.ListModelVersionsResponse)

    def merge_aliases(self, call: Call) -> Any:
        """Give a version aliases, taking them from others; "-alias" takes one away."""
        model = self.get(call)
        versions = self.models.named(model.name)
        wanted = list(call.message.version_aliases)
        require(wanted, "Required field version_aliases is not set.")
        require(
            "-default" not in wanted, 'The "default" alias can not be removed: give it to another version'
        )
        dropped = {alias[1:] for alias in wanted if alias.startswith("-")}
        model.version_aliases = [alias for alias in model.version_aliases if alias not in dropped]
        give_aliases(versions, model, [alias for alias in wanted if not alias.startswith("-")])
        return model

    def update(self, call: Call) -> Any:
        """Change a model's fields that the mask names."""
        return updated(self.get(call), call, ("display_name", "description", "version_description", "labels"))

    def delete(self, call: Call) -> Any:
        """Forget a model that no endpoint serves."""
        for version in self.models.get(call.where):
            self._check_idle(version)
        self.models.remove(call.where)
        name = self.models.name(call.where)
        return self.operations.start(name, types.DeleteOperationMetadata(), lambda: None)

    def delete_version(self, call: Call) -> Any:
        """Forget a version that isn't the default one and that no endpoint serves."""
        model = self.get(call)
        if "default" in model.version_aliases:
            raise not_now(
                "The default version can not be deleted: give the alias to another, or delete the model"
            )
        self._check_idle(model)
        self.models.named(model.name).remove(model)
        return self.operations.start(model.name, types.DeleteOperationMetadata(), lambda: None)

    def _check_idle(self, model: Any) -> None:
        if model.deployed_models:
            raise not_now(
                f"{model.name} is deployed to {model.deployed_models[0].endpoint}: undeploy it first"
            )


def check_model(model: Any) -> None:
    """Refuse a model that couldn't be deployed."""
    check_naming(model)
    container = model.container_spec
    require(container, "Required field model.container_spec is not set.")
    check_container(container, "model.container_spec")
    for field in ("predict_route", "health_route"):
        route = getattr(container, field)
        require(not route or route.startswith("/"), f"model.container_spec.{field} must begin with /")
    for field in ("startup_probe", "health_probe", "liveness_probe"):
        check_probe(getattr(container, field), f"model.container_spec.{field}")
    if model.artifact_uri:
        check_bucket(model.artifact_uri, "model.artifact_uri")
    for alias in model.version_aliases:
        if not _ALIAS.fullmatch(alias):
            raise invalid(f"version_aliases: {alias!r} is invalid: [a-z][a-zA-Z0-9-]{{0,126}}[a-zA-Z0-9]")


def give_aliases(versions: list[Any], model: Any, aliases: list[str]) -> None:
    """Give `model` the aliases; an alias stands at one version only."""
    for alias in aliases:
        if not _ALIAS.fullmatch(alias):
            raise invalid(f"version_aliases: {alias!r} is invalid")
    for version in versions:
        version.version_aliases = [alias for alias in version.version_aliases if alias not in aliases]
    model.version_aliases = [*model.version_aliases, *aliases]
