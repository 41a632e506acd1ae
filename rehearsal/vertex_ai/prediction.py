"""Prediction: each request goes to one of the endpoint's models, by the traffic split."""

import base64
import json
from typing import Any, Final

import requests
from google.cloud.aiplatform_v1 import types

from rehearsal.vertex_ai.endpoints import Endpoints
from rehearsal.vertex_ai.errors import RefusedError, not_now, require
from rehearsal.vertex_ai.routes import LOCATION, Call, Route
from rehearsal.vertex_ai.serving import ECHO, Deployment
from rehearsal.vertex_ai.traffic import Turns

LARGEST: Final = 1_572_864
LARGEST_DEDICATED: Final = 10_485_760
"""Bytes of a request to a shared and to a dedicated endpoint."""
SECONDS: Final = 60.0


class Prediction:
    """Requests are passed on to the address that `serve` gave for the model."""

    def __init__(self, endpoints: Endpoints) -> None:
        self.endpoints = endpoints
        self._turns: dict[str, Turns] = {}

    def routes(self) -> list[Route]:
        """Who answers what."""
        one = f"{LOCATION}/endpoints/{{id}}"
        return [
            Route("POST", f"{one}:predict", self.predict, types.PredictRequest),
            Route("POST", f"{one}:rawPredict", self.raw_predict),
        ]

    def predict(self, call: Call) -> dict[str, Any]:
        """Pass instances on and give the model's predictions back."""
        require(call.message.instances, "Required field instances is not set.")
        deployment, answer = self._ask(call, call.body)
        try:
            document = json.loads(answer)
            predictions = document["predictions"]
        except (ValueError, TypeError, KeyError) as error:
            raise RefusedError(500, f"The model's answer has no predictions: {answer[:200]!r}") from error
        extra = {"metadata": document["metadata"]} if "metadata" in document else {}
        return {
            "predictions": predictions,
            "deployedModelId": deployment.deployed_model_id,
            "model": deployment.model.name,
            "modelDisplayName": deployment.model.display_name,
            "modelVersionId": deployment.model.version_id,
            **extra,
        }

    def raw_predict(self, call: Call) -> Any:
        """Pass a body on as it is, and the answer back as it is.

        Google's own client wraps the body in an HttpBody, and expects the answer in one.
        """
        wrapped = _http_body(call.body)
        if wrapped is None:
            return self._ask(call, call.body)[1]
        answer = self._ask(call, base64.b64decode(wrapped.get("data", "")))[1]
        return {"contentType": "application/json", "data": base64.b64encode(answer).decode()}

    def _ask(self, call: Call, body: bytes) -> tuple[Deployment, bytes]:
        endpoint = self.endpoints.get(call)
        largest = LARGEST_DEDICATED if endpoint.dedicated_endpoint_enabled else LARGEST
        require(len(call.body) <= largest, f"Request payload size exceeds the limit: {largest} bytes.")
        split = {number: share for number, share in endpoint.traffic_split.items() if share}
        if not split:
            raise not_now(f"{endpoint.name} has no deployed model that gets traffic")
        number = self._turns.setdefault(endpoint.name, Turns()).next(split)
        deployment, address = self.endpoints.running[number]
        return deployment, _forward(deployment, address, body)


def _forward(deployment: Deployment, address: str, body: bytes) -> bytes:
    if address == ECHO:
        return json.dumps({"predictions": json.loads(body)["instances"]}).encode()
    route = deployment.model.container_spec.predict_route or (
        f"/v1/endpoints/{deployment.endpoint.rpartition('/')[2]}/deployedModels/{deployment.deployed_model_id}:predict"
    )
    headers = {"Content-Type": "application/json"}
    try:
        answer = requests.post(address + route, data=body, headers=headers, timeout=SECONDS)
    except requests.RequestException as error:
        raise RefusedError(503, f"The model server can not be reached: {error}") from error
    if not answer.ok:
        raise RefusedError(answer.status_code, answer.text)
    return answer.content


def _http_body(body: bytes) -> dict[str, str] | None:
    try:
        document = json.loads(body)
    except ValueError:
        return None
    wrapped = document.get("httpBody") if isinstance(document, dict) else None
    return wrapped if isinstance(wrapped, dict) else None
