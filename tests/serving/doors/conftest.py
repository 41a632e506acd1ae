"""What the doors' tests ask of the served model: its address, and what it answers by its own door."""

from typing import Any, NamedTuple

import pytest


class Model(NamedTuple):
    """The served model."""

    name: str
    version: str


@pytest.fixture(scope="session")
def model(server: Any) -> Model:
    """Whom the server serves."""
    described = server.get("/model").content
    return Model(described["name"], str(described["version"]))


@pytest.fixture
def expected(server: Any) -> Any:
    """Call it with an image for its probabilities in label order, as `POST /predict` gives them."""

    def ask(image: bytes) -> list[float]:
        top = server.post(files={"file": image}, data={"top_k": 9}).content["predictions"][0]["top"]
        return [one["probability"] for one in sorted(top, key=lambda one: one["class"])]

    return ask
