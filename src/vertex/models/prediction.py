"""A model that is deployed to an endpoint of Vertex AI: encoded images in, predictions out."""

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import requests

from serving.remote import OF_AN_IMAGE, Remote
from vertex.client import connect, explained, patience
from vertex.settings import Settings

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1.types import Endpoint

TIMEOUT_S: Final = 60.0
_OF_A_REQUEST: Final = (requests.codes.bad_request, *OF_AN_IMAGE)
"""The statuses by which Vertex AI may tell that the container refused a request's content."""


class DeployedModel(Remote):
    """Asks an endpoint of Vertex AI; may be called from several threads."""

    def __init__(self, settings: Settings, endpoint: "Endpoint", parameters: dict[str, Any]) -> None:
        """Connect to the endpoint's own address, where it has one.

        Args:
            settings: whose service it is.
            endpoint: as the service tells it.
            parameters: `top_k` and `threshold`.
        """
        from google.cloud.aiplatform_v1 import PredictionServiceClient

        super().__init__(f"the endpoint {endpoint.display_name}")
        dedicated = endpoint.dedicated_endpoint_dns.removeprefix("https://")
        if dedicated and "://" not in settings.api_endpoint:
            settings = replace(settings, api_endpoint=dedicated)
        self._client = connect(PredictionServiceClient, settings)
        self._endpoint = endpoint.name
        self._parameters = parameters
        self._retry = patience().with_timeout(TIMEOUT_S)

    def post(self, images: Sequence[bytes]) -> tuple[int, Any]:
        """Send a prediction request."""
        from google.api_core import exceptions
        from google.cloud.aiplatform_v1 import types
        from google.protobuf.json_format import MessageToDict, ParseDict

        request = types.PredictRequest(endpoint=self._endpoint)
        message = types.PredictRequest.pb(request)
        instances = [{"b64": base64.b64encode(image).decode()} for image in images]
        ParseDict({"instances": instances, "parameters": self._parameters}, message)
        with explained(f"asking {self.name}"):
            try:
                answer = self._client.predict(message, retry=self._retry, timeout=TIMEOUT_S)
            except exceptions.GoogleAPICallError as error:
                said = _of_the_server(error)
                if said is None:
                    raise
                return requests.codes.unprocessable_entity, said
        return requests.codes.ok, MessageToDict(types.PredictResponse.pb(answer))


def _of_the_server(error: Any) -> dict[str, str] | None:
    """What our server said of an image, which Vertex AI hands on within its own message."""
    found = re.search(r'\{"error": ?".*"\}', error.message, re.DOTALL)
    if error.code not in _OF_A_REQUEST or found is None:
        return None
    try:
        said: dict[str, str] = json.loads(found[0])
    except ValueError:
        return None
    return said
