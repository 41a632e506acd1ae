"""Where jobs run and where their images are: from flags, or from the environment."""

import re
from dataclasses import dataclass
from typing import Annotated, ClassVar

import typer

from contracts.errors import InputError

IMAGES_EXAMPLE = "europe-west4-docker.pkg.dev/PROJECT/chrysalis"

Project = Annotated[
    str | None,
    typer.Option(envvar=["CHRYSALIS_PROJECT", "GOOGLE_CLOUD_PROJECT"], help="The Google Cloud project's id."),
]
Region = Annotated[str | None, typer.Option(envvar="CHRYSALIS_REGION", help="As in europe-west4.")]
Images = Annotated[
    str | None,
    typer.Option(envvar="CHRYSALIS_IMAGES", help=f"The images' registry: {IMAGES_EXAMPLE}."),
]
Tag = Annotated[str, typer.Option(envvar="CHRYSALIS_TAG", help="The images' tag.")]
ApiEndpoint = Annotated[
    str | None,
    typer.Option(
        envvar="CHRYSALIS_VERTEX_ENDPOINT",
        help="Another address of the service, such as a private endpoint. http:// goes without credentials.",
    ),
]
ServiceAccount = Annotated[
    str | None,
    typer.Option(envvar="CHRYSALIS_SERVICE_ACCOUNT", help="The e-mail of the account that jobs run as."),
]
Network = Annotated[
    str | None,
    typer.Option(
        envvar="CHRYSALIS_NETWORK",
        help="The network of jobs: projects/NUMBER/global/networks/NAME, peered with Vertex AI's.",
    ),
]
WandbSecret = Annotated[
    str | None,
    typer.Option(
        envvar="CHRYSALIS_WANDB_SECRET",
        help="Secret Manager's secret with train's key of Weights & Biases: SECRET[:VERSION].",
    ),
]


@dataclass(frozen=True)
class Settings:
    """A project's Vertex AI in one region, and the registry that it pulls from."""

    project: str
    region: str
    images: str
    tag: str
    api_endpoint: str

    @property
    def parent(self) -> str:
        """What the service files jobs under."""
        return f"projects/{self.project}/locations/{self.region}"

    def image(self, name: str) -> str:
        """The whole reference of the image called `name`."""
        return f"{self.images}/{name}:{self.tag}"


@dataclass(frozen=True)
class Cloud:
    """The project, and where the images are, as a group (`vertex.option_groups`)."""

    title: ClassVar[str] = "Google Cloud"

    project: Project = None
    region: Region = None
    images: Images = None
    tag: Tag = "latest"


@dataclass(frozen=True)
class Where(Cloud):
    """The options that say where jobs run, as a group."""

    title: ClassVar[str] = Cloud.title

    api_endpoint: ApiEndpoint = None

    def settings(self) -> Settings:
        """Check them.

        Raises:
            InputError: one of them is missing or can't be right.
        """
        return settings(
            project=self.project,
            region=self.region,
            images=self.images,
            tag=self.tag,
            api_endpoint=self.api_endpoint,
        )


@dataclass(frozen=True)
class Service:
    """The same for what needs no images, as a group."""

    title: ClassVar[str] = "Google Cloud"

    project: Project = None
    region: Region = None
    api_endpoint: ApiEndpoint = None

    def settings(self, name: str = "") -> Settings:
        """Check them; a resource's whole name says itself in which project and region it is.

        Raises:
            InputError: one of them is missing or can't be right.
        """
        parts = name.split("/")
        whole = len(parts) > 4 and parts[0] == "projects" and parts[2] == "locations"
        return settings(
            project=parts[1] if whole else self.project,
            region=parts[3] if whole else self.region,
            images="none",
            tag="none",
            api_endpoint=self.api_endpoint,
        )


def settings(
    *, project: str | None, region: str | None, images: str | None, tag: str, api_endpoint: str | None
) -> Settings:
    """Check what the flags or the environment gave.

    Raises:
        InputError: one of them is missing or can't be right.
    """
    region = _checked(region, "region", "europe-west4", r"[a-z]+-[a-z]+\d+")
    return Settings(
        project=_checked(project, "project", "my-project", r"[a-z0-9][a-z0-9.:-]*"),
        region=region,
        images=registry(images),
        tag=_checked(tag, "tag", "latest", r"\w[\w.-]{0,127}"),
        api_endpoint=api_endpoint or f"{region}-aiplatform.googleapis.com",
    )


def registry(images: str | None) -> str:
    """Check where the images are.

    Raises:
        InputError: it is missing or can't be right.
    """
    return _checked(images, "images", IMAGES_EXAMPLE, r"[a-z0-9][a-z0-9.:/_-]*[a-z0-9]")


def _checked(value: str | None, name: str, example: str, form: str) -> str:
    if not value:
        raise InputError(
            f"no {name}: set CHRYSALIS_{name.upper()} in .env (.env.example says how), or give "
            f"--{name}, as in --{name} {example}"
        )
    if not re.fullmatch(form, value):
        raise InputError(f"expected --{name} as in {example}, got {value!r}")
    return value
