"""What a server is told: which model, where to listen, which routes, and how much it takes."""

from collections.abc import Mapping
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.errors import InputError
from serving.runtimes import RuntimeName

ROUTE: Final = "^/[^{}]*$"
"""A path without parameters, which braces would mean to the router."""


class Settings(BaseModel):
    """A server's whole configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(description="the bundle's folder: a path or gs://bucket/prefix")
    runtime: RuntimeName = RuntimeName.AUTO
    require_blessed: bool = Field(default=False, description="refuse a bundle that the gate didn't bless")
    vertex_predict_route: str = Field(default="/vertex/predict", pattern=ROUTE)
    vertex_health_route: str = Field(default="/vertex/health", pattern=ROUTE)
    max_body_bytes: int = Field(default=32 << 20, description="of a request; Cloud Run lets no more through")
    max_pixels: int = Field(default=24 << 20, description="of an image: any phone's ordinary photo passes")
    max_request_pixels: int = Field(default=4 * (24 << 20), description="of a request's images together")
    max_images: int = Field(default=32, description="of a request")
    max_waiting: int = Field(default=64, description="images in the queue, whoever sent them")
    top_k: int = Field(default=5, ge=1, description="classes of an answer, where the request doesn't say")
    threshold: float = Field(default=0.5, ge=0, le=1, description="a best class below it is told as not sure")

    @classmethod
    def from_environment(
        cls,
        model: str,
        runtime: RuntimeName,
        environment: Mapping[str, str],
        *,
        require_blessed: bool = False,
    ) -> Self:
        """Take the routes that Vertex AI names in AIP_PREDICT_ROUTE and AIP_HEALTH_ROUTE, if it does.

        Raises:
            InputError: one is no route.
        """
        names = {"vertex_predict_route": "AIP_PREDICT_ROUTE", "vertex_health_route": "AIP_HEALTH_ROUTE"}
        routes = {field: environment[name] for field, name in names.items() if environment.get(name)}
        try:
            return cls.model_validate(
                {"model": model, "runtime": runtime, "require_blessed": require_blessed, **routes}
            )
        except ValidationError as error:
            wrong = error.errors()[0]
            name = names.get(str(wrong["loc"][0]), wrong["loc"][0])
            raise InputError(
                f"expected {name} as a path that begins with / and has no braces, got {wrong['input']!r}"
            ) from None
