"""Whoever answers elsewhere: encoded images in, predictions out, several images a request.

How a request travels is for those who derive from `Remote`: over HTTP to a server of ours, or by a platform.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final

import requests
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.errors import InputError
from imaging import ImageError
from serving.predictions import Prediction
from serving.predictor import Ranked
from serving.shrink import shrink

REQUEST_BYTES: Final = 1_100_000
"""Of a request's images together: Vertex AI takes 1.5 MB, base64 adds a third and JSON a little."""
PARALLEL: Final = 4
"""Requests under way at once, which keep a server of a few cores busy."""
SAID: Final = 300
"""Characters of a server's words that are passed on."""
OF_AN_IMAGE: Final = (requests.codes.request_entity_too_large, requests.codes.unprocessable_entity)
"""The statuses that are about an image, not about the request."""


class _Told(BaseModel):
    """A part of an answer, of which a server of another version may say more."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class _Class(_Told):
    name: str = Field(alias="class")
    probability: float = Field(ge=0, le=1)


class _Image(_Told):
    top: Annotated[list[_Class], Field(min_length=1)]
    sure: bool


class _Answer(_Told):
    predictions: list[_Image]


class Remote(ABC):
    """Asks one server; may be called from several threads."""

    parallel = PARALLEL

    def __init__(self, name: str) -> None:
        """Take the name that messages call the server by."""
        self.name = name

    @abstractmethod
    def post(self, images: Sequence[bytes]) -> tuple[int, Any]:
        """Send encoded images in one request: the status, 200 or of `OF_AN_IMAGE`, and the answer's JSON."""

    def __call__(self, images: Sequence[bytes]) -> list[Prediction | ImageError]:
        """Classify encoded images; one that can't be used doesn't hold up the others.

        Raises:
            InputError: this is no server of ours, or it wants another key.
            StageError: it failed, or stays busy.
        """
        answers: list[Prediction | ImageError] = []
        for request in _requests([_shrunk(image) for image in images]):
            good = [image for image in request if isinstance(image, bytes)]
            predictions = iter(self._ask(good) if good else [])
            answers += [image if isinstance(image, ImageError) else next(predictions) for image in request]
        return answers

    def _ask(self, images: Sequence[bytes]) -> list[Prediction | ImageError]:
        status, content = self.post(images)
        if status in OF_AN_IMAGE:
            if len(images) == 1:
                return [ImageError(said(content))]
            return [answer for image in images for answer in self._ask([image])]
        try:
            told = _Answer.model_validate(content).predictions
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise self.stranger(
                f"its answer has no such {where}" if where else "it answered no object"
            ) from None
        if len(told) != len(images):
            raise self.stranger(f"it answered {len(told)} predictions for {len(images)} images")
        return [
            Prediction([Ranked(each.name, each.probability) for each in image.top], image.sure)
            for image in told
        ]

    def stranger(self, why: str) -> InputError:
        """What is raised where the answer is none of ours."""
        return InputError(f"{self.name} isn't a Chrysalis server of this version: {why}")


def said(content: Any) -> str:
    """What a server gives as the reason, fit for a line."""
    said = content.get("error") if isinstance(content, dict) else None
    if not isinstance(said, str) or not said:
        return "it gave no reason"
    plain = "".join(letter if letter.isprintable() else " " for letter in said)
    return plain if len(plain) <= SAID else f"{plain[:SAID]}…"


def _shrunk(image: bytes) -> bytes | ImageError:
    try:
        return shrink(image, REQUEST_BYTES)
    except ImageError as error:
        return error


def _requests(images: Sequence[bytes | ImageError]) -> Iterator[list[bytes | ImageError]]:
    """Cut images into requests that are small enough; each image is."""
    request: list[bytes | ImageError] = []
    size = 0
    for image in images:
        cost = len(image) if isinstance(image, bytes) else 0
        if request and size + cost > REQUEST_BYTES:
            yield request
            request, size = [], 0
        request.append(image)
        size += cost
    yield request
