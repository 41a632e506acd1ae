"""The loopback Vertex AI, and Google's own clients of it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials

from rehearsal.vertex_ai import VertexAI

PARENT = "projects/my-project/locations/europe-west4"


@pytest.fixture
def service() -> Iterator[VertexAI]:
    with VertexAI() as server:
        yield server


@pytest.fixture
def client(service: VertexAI) -> Iterator[Callable[[Any], Any]]:
    """Make one of aiplatform_v1's clients: `client(JobServiceClient)`."""
    made = []

    def make(kind: Any) -> Any:
        options = {"api_endpoint": service.url}
        made.append(
            kind(credentials=AnonymousCredentials(), transport="rest", client_options=options)  # type: ignore[no-untyped-call]
        )
        return made[-1]

    yield make
    for one in made:
        one.transport.close()


@pytest.fixture
def job_spec() -> dict[str, Any]:
    """The least that a job needs."""
    pool = {
        "machine_spec": {"machine_type": "n1-standard-8"},
        "replica_count": 1,
        "container_spec": {
            "image_uri": "europe-west4-docker.pkg.dev/p/r/records:v1",
            "args": ["--seed", "1"],
        },
    }
    return {
        "worker_pool_specs": [pool],
        "base_output_directory": {"output_uri_prefix": "gs://bucket/run"},
    }
