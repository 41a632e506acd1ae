"""Vertex AI on loopback for every test here, the settings of a user, and snapshots of what was sent."""

import os
import socket
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
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs and their logs are looked at all the time."""
    monkeypatch.setattr("vertex.client.FIRST_LOOK_SECONDS", 0.05)
    monkeypatch.setattr("vertex.jobs.logs.READ_SECONDS", 0.05)
    monkeypatch.setattr("vertex.jobs.logs.LATE_SECONDS", 0.05)


@pytest.fixture
def silent_address() -> Iterator[str]:
    """An address on loopback that refuses connections: its port is taken, and nobody listens."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{nobody.getsockname()[1]}"


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
