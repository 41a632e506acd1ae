"""A running server, asked over HTTP: encoded images in, predictions out, several images a request."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final

import requests
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, Retry
from urllib3.exceptions import InvalidHeader

from contracts.errors import InputError, StageError
from imaging import ImageError
from serving.predictions import Prediction
from serving.predictor import Ranked
from serving.shrink import shrink

REQUEST_BYTES: Final = 1_100_000
"""Of a request's images together: Vertex AI takes 1.5 MB, base64 adds a third and JSON a little."""
TIMEOUT_S: Final = 60
PARALLEL: Final = 4
"""Requests under way at once, which keep a server of a few cores busy."""
SAID: Final = 300
"""Characters of a server's words that are passed on."""


class _Again(Retry):
    """A `Retry-After` that says nothing counts as none."""

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        try:
            return super().get_retry_after(response)
        except (InvalidHeader, ValueError, OverflowError):
            return None


RETRIES: Final = _Again(
    total=None,
    connect=0,
    read=0,
    redirect=0,
    other=0,
    status=6,
    status_forcelist=[503],
    allowed_methods=None,
    backoff_factor=0.5,
    retry_after_max=60,
    raise_on_status=False,
)
"""A server that is busy or starts says so by 503, and by Retry-After when to come again."""
_OF_AN_IMAGE: Final = (413, 422)


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


class Client:
    """Asks one server; may be called from several threads."""

    parallel = PARALLEL

    def __init__(self, url: str, parameters: dict[str, Any], key: bytes | None = None) -> None:
        """Connect to nothing yet.

        Args:
            url: of the server, without a path.
            parameters: `top_k` and `threshold`; what is missing is the server's own.
            key: the API key, if the server wants one.

        Raises:
            InputError: the URL is none of http or https.
        """
        if not url.startswith(("http://", "https://")):
            raise InputError(f"expected --url as http://… or https://…, got {url!r}")
        self._url = url.rstrip("/")
        self._parameters = parameters
        self._session = requests.Session()
        self._session.mount(self._url, HTTPAdapter(pool_maxsize=PARALLEL, max_retries=RETRIES))
        if key is not None:
            self._session.headers["X-API-Key"] = key

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
        status, content = self._post(images)
        if status in _OF_AN_IMAGE:
            if len(images) == 1:
                return [ImageError(_said(content))]
            return [answer for image in images for answer in self._ask([image])]
        try:
            told = _Answer.model_validate(content).predictions
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise self._stranger(
                f"its answer has no such {where}" if where else "it answered no object"
            ) from None
        if len(told) != len(images):
            raise self._stranger(f"it answered {len(told)} predictions for {len(images)} images")
        return [
            Prediction([Ranked(each.name, each.probability) for each in image.top], image.sure)
            for image in told
        ]

    def _post(self, images: Sequence[bytes]) -> tuple[int, Any]:
        files = [("files", (f"{number}", image)) for number, image in enumerate(images)]
        try:
            answer = self._session.post(
                f"{self._url}/predict",
                files=files,
                data=self._parameters,
                timeout=TIMEOUT_S,
                allow_redirects=False,  # the key is for this server
            )
        except requests.RequestException as error:
            raise InputError(
                f"{self._url} can't be asked ({type(error).__name__}): is the server running?"
            ) from None
        if answer.status_code == requests.codes.unauthorized:
            wrong = (
                "doesn't take this API key" if "X-API-Key" in self._session.headers else "wants an API key"
            )
            raise InputError(f"{self._url} {wrong}: set CHRYSALIS_API_KEY, or CHRYSALIS_API_KEY_FILE")
        try:
            content = answer.json()
        except (ValueError, RecursionError):  # requests' own error is a ValueError
            raise self._stranger(f"it answered {answer.status_code} and no JSON") from None
        if answer.status_code not in (requests.codes.ok, *_OF_AN_IMAGE):
            raise StageError(f"{self._url} answered {answer.status_code}: {_said(content)}")
        return answer.status_code, content

    def _stranger(self, why: str) -> InputError:
        return InputError(f"{self._url} isn't a Chrysalis server of this version: {why}")


def _said(content: Any) -> str:
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
