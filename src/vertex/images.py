"""Every image that the project pushes: its name in the registry, its Dockerfile and the target in it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contracts.errors import InputError

ROOT: Final = Path(__file__).parents[2]
"""The repository: the folder that every image is built from."""


@dataclass(frozen=True)
class Image:
    """How one image is built; the Dockerfile's path is relative to the repository."""

    name: str
    dockerfile: str
    target: str | None = None


def models() -> list[str]:
    """The architectures: the folders of src/models that have a Dockerfile."""
    return sorted(file.parent.name for file in (ROOT / "src/models").glob("*/Dockerfile"))


def table() -> dict[str, Image]:
    """Every image by its name."""
    records, serving = "src/datapipeline/records/Dockerfile", "src/serving/Dockerfile"
    images = [
        Image("download", "src/datapipeline/download/Dockerfile"),
        Image("records", records, "records"),
        Image("beam", records, "beam"),
        *(Image(model, f"src/models/{model}/Dockerfile", "cpu") for model in models()),
        *(Image(f"{model}-cuda", f"src/models/{model}/Dockerfile", "cuda") for model in models()),
        Image("serving", serving, "cpu"),
        Image("serving-cuda", serving, "cuda"),
        Image("serving-function", serving, "function"),
    ]
    return {image.name: image for image in images}


def of_the_chain(model: str) -> list[str]:
    """The images that download → process → records → train → serving need, with `model` on CPUs or GPUs."""
    return ["download", "records", model, f"{model}-cuda", "serving"]


def chosen(names: list[str], model: str, *, every: bool = False) -> list[Image]:
    """Look up the images called `names`; without names those of the chain, or with `every` all of them.

    Raises:
        InputError: there is no such image, or names and `every` contradict each other.
    """
    images = table()
    if names and every:
        raise InputError(f"expected --all or names of images; got both: leave {' '.join(names)} out")
    wanted = list(images) if every else names or of_the_chain(model)
    for name in wanted:
        if name not in images:
            raise InputError(f"expected an image's name, one of {', '.join(images)}; got {name!r}")
    return [images[name] for name in dict.fromkeys(wanted)]
