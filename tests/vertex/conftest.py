"""Vertex AI on loopback for every test here, the settings of a user, and snapshots of what was sent."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

from rehearsal import vertex_ai as rehearsed


@pytest.fixture
def vertex_ai(monkeypatch: pytest.MonkeyPatch) -> Iterator[rehearsed.VertexAI]:
    """Start the server and point this test's clients, and those of its processes, at it.

    What jobs and deployed models do can be set before they are created: `vertex_ai.run = …`.
    """
    with rehearsed.VertexAI() as server:
        monkeypatch.setenv("CHRYSALIS_VERTEX_ENDPOINT", server.url)
        yield server


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Compare with a JSON file under __snapshots__/; `pytest --snapshot-update` writes it anew."""
    return snapshot.use_extension(JSONSnapshotExtension)


@pytest.fixture
def readable() -> Callable[[rehearsed.Recorded], dict[str, Any]]:
    """How a recorded request stands in a snapshot: enums by name, no ids, times and ports."""
    return rehearsed.readable


@pytest.fixture(autouse=True)
def cloud_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings that a user exports once."""
    for name in [name for name in os.environ if name.startswith("CHRYSALIS_")]:
        monkeypatch.delenv(name)
    for name in ("GOOGLE_CLOUD_PROJECT", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CHRYSALIS_PROJECT", "my-project")
    monkeypatch.setenv("CHRYSALIS_REGION", "europe-west4")
    monkeypatch.setenv("CHRYSALIS_IMAGES", "europe-west4-docker.pkg.dev/my-project/chrysalis")
