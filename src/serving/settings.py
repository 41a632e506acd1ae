"""What a server is told: which model, which routes, and how much it takes.

Every field is set by an option or by its variable, CHRYSALIS_<FIELD>; an option counts more.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
)

from contracts.errors import InputError
from serving.runtimes import Execution, RuntimeName

PREFIX: Final = "CHRYSALIS_"
PLATFORM_VARIABLES: Final = {
    "model": "AIP_STORAGE_URI",
    "vertex_predict_route": "AIP_PREDICT_ROUTE",
    "vertex_health_route": "AIP_HEALTH_ROUTE",
}
"""By which Vertex AI names some of the fields; ours count more, and an empty one is none."""

ROUTE: Final = "^/[^{}]*$"
"""A path without parameters, which braces would mean to the router."""


def _split(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class Settings(BaseModel):
    """A server's whole configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    model: str = Field(
        min_length=1, description="bundle, or champion.json that names one: a path or gs://bucket/prefix"
    )
    model_name: str | None = Field(
        default=None,
        min_length=1,
        description="by which clients ask for it; by default the bundle's own",
    )
    runtime: RuntimeName = Field(
        default=RuntimeName.AUTO, description="auto: LiteRT where it is installed, else TensorFlow"
    )
    require_blessed: bool = Field(
        default=False, description="refuse a bundle that python -m models.trainer.gate didn't bless"
    )
    workers: int = Field(
        default=0, ge=0, le=256, description="images in the network at once; 0: one for every two cores"
    )
    threads: int = Field(default=0, ge=0, le=256, description="of each worker; 0: from the cores")
    max_batch: int = Field(default=16, ge=1, le=1024, description="images that TensorFlow runs together")
    max_delay_ms: float = Field(default=2, ge=0, le=1000, description="that a batch's first image waits")
    vertex_predict_route: str = Field(
        default="/vertex/predict", pattern=ROUTE, description="AIP_PREDICT_ROUTE on Vertex AI"
    )
    vertex_health_route: str = Field(
        default="/vertex/health", pattern=ROUTE, description="AIP_HEALTH_ROUTE there; answers 200 when ready"
    )
    allow_buckets: Annotated[tuple[str, ...], BeforeValidator(_split)] = Field(
        default=(),
        description="bucket that requests may name images in; the variable takes several, with commas",
    )
    api_key_file: Path | None = Field(default=None, description="that holds the key, as a mounted secret")
    api_key_secret_version: str | None = Field(
        default=None,
        min_length=1,
        description="projects/P/secrets/S/versions/V of Google Cloud's Secret Manager, which holds the key",
    )
    api_key: SecretStr | None = Field(default=None, min_length=1, description="that requests must bring")
    max_body_bytes: PositiveInt = Field(
        default=32 << 20, description="of a request; Cloud Run lets no more through"
    )
    max_buffered_bytes: PositiveInt = Field(default=128 << 20, description="of all requests' bodies together")
    max_pixels: PositiveInt = Field(
        default=24 << 20, description="of an image: any phone's ordinary photo passes"
    )
    max_request_pixels: PositiveInt = Field(
        default=4 * (24 << 20), description="of a request's images together"
    )
    max_images: PositiveInt = Field(default=32, description="of a request")
    max_waiting: PositiveInt = Field(default=64, description="images in the queue, whoever sent them")
    max_connections: PositiveInt = Field(default=1000, description="open at once")
    max_header_bytes: PositiveInt = Field(default=32 << 10, description="of a request")
    header_timeout_s: PositiveFloat = Field(
        default=10, description="within which a request's headers must come"
    )
    keep_alive_s: PositiveInt = Field(
        default=75, description="that a connection may idle; load balancers keep theirs for 60"
    )
    body_timeout_s: PositiveFloat = Field(default=20, description="within which a request's body must come")
    bucket_timeout_s: PositiveFloat = Field(default=10, description="within which a bucket must give images")
    request_timeout_s: PositiveFloat = Field(default=30, description="within which it must be answered")
    top_k: PositiveInt = Field(default=5, description="classes of an answer, where the request doesn't say")
    threshold: float = Field(default=0.5, ge=0, le=1, description="a best class below it is told as not sure")

    @property
    def execution(self) -> Execution:
        """How much the runtime does at once."""
        return Execution(self.workers, self.threads, self.max_batch, self.max_delay_ms)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], **options: Any) -> Self:
        """Take each field from its option, else from its variable, else from Vertex AI's, else its default.

        Args:
            environment: such as `os.environ`.
            options: values by the fields' names; None: not given.

        Raises:
            InputError: a value can't be used, or no model is named.
        """
        places = {field: _places(field, environment, options) for field in cls.model_fields}
        given = {field: found[0] for field, found in places.items() if found}
        if "model" not in given:
            expected = cls.model_fields["model"].description
            raise InputError(f"expected --model or {variable('model')}: {expected}")
        try:
            return cls.model_validate({field: place.value for field, place in given.items()})
        except ValidationError as error:
            wrong = error.errors()[0]
            field = str(wrong["loc"][0])
            value = (
                "an empty one" if field == "api_key" else repr(given[field].value)
            )  # that is all it can be
            expected = _EXPECTED.get(wrong["type"]) or wrong["msg"].removeprefix(
                "Input should be "
            ).removeprefix("Value error, ")
            expected = expected.partition(", unable")[0]
            raise InputError(f"expected {given[field].name} to be {expected}, got {value}") from None


_EXPECTED: Final = {
    "string_pattern_mismatch": "a path that begins with / and has no braces",
    "string_too_short": "not empty",
    "too_short": "not empty",
}
"""What pydantic says less clearly."""


class _Place(NamedTuple):
    """Where a field's value stands."""

    name: str
    value: Any


def _places(field: str, environment: Mapping[str, str], options: Mapping[str, Any]) -> list[_Place]:
    """Where a field is given, what counts most first."""
    platform = PLATFORM_VARIABLES.get(field, "")
    places = [
        _Place(option(field), options.get(field)),
        _Place(variable(field), environment.get(variable(field))),
        _Place(platform, environment.get(platform) or None),  # an empty one means none
    ]
    return [place for place in places if place.value is not None]


def variable(field: str) -> str:
    """The environment's name of a field."""
    return PREFIX + field.upper()


def option(field: str) -> str:
    """The command line's name of a field."""
    # One of several buckets each time that it is given.
    return "--allow-bucket" if field == "allow_buckets" else "--" + field.replace("_", "-")
