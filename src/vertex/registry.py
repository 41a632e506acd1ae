"""The registry of images: what is there, and the digest that a tag stands for just now."""

from typing import TYPE_CHECKING, Final

from contracts.console import log
from contracts.errors import InputError
from vertex.google_api import NOT_FOUND, Google, UnansweredError, connect
from vertex.settings import Settings

if TYPE_CHECKING:
    from requests import Response

MANIFESTS: Final = ", ".join(
    (
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    )
)


def manifest(google: Google, images: str, name: str, tag: str) -> "Response":
    """Ask for an image's manifest: the status, and the headers with its digest.

    Raises:
        UnansweredError: the registry can't be reached.
    """
    host, _, repository = images.partition("/")
    scheme = "http" if _is_here(images) else "https"
    address = f"{scheme}://{host}/v2/{f'{repository}/' if repository else ''}{name}/manifests/{tag}"
    return google.send("HEAD", address, headers={"Accept": MANIFESTS})


def pinned(settings: Settings, name: str) -> str:
    """The reference of the image called `name`, by the digest that its tag stands for now.

    What is deployed by a tag keeps the image that it had then, and doesn't tell which. A registry that can't
    be asked leaves the tag; so does a stand-in of the service, as its images are this machine's.

    Raises:
        InputError: the image wasn't pushed.
    """
    image = settings.image(name)
    if settings.api_endpoint.startswith("http://") and not _is_here(settings.images):
        return image
    try:
        answer = manifest(_google(settings), settings.images, name, settings.tag)
    except (InputError, UnansweredError) as error:  # without credentials it can't be asked, either
        return _left(image, str(error))
    if answer.status_code == NOT_FOUND:
        raise InputError(f"the registry has no {image}: make push ARGS={name}, or set CHRYSALIS_TAG")
    digest = answer.headers.get("Docker-Content-Digest")
    if not answer.ok or not digest:
        return _left(image, f"HTTP {answer.status_code}")
    return f"{settings.images}/{name}@{digest}"


def _left(image: str, why: str) -> str:
    log("the registry can't be asked which image it is: its tag is taken", image=image, why=why)
    return image


def _google(settings: Settings) -> Google:
    return connect(settings.project, "http://" if _is_here(settings.images) else None)


def _is_here(images: str) -> bool:
    return images.partition("/")[0].split(":")[0] in ("localhost", "127.0.0.1")
