"""Several workers in containers, each with what Vertex AI tells it, train the network that one trains."""

import io

import numpy as np
import pytest
from google.cloud.aiplatform_v1 import types

from contracts import storage
from rehearsal.containers import Containers
from rehearsal.network import network
from rehearsal.vertex_ai import Job

pytestmark = pytest.mark.containers

DATA = "gs://hosts/processed/digits"
TRAINING = (
    # Adam makes rounding larger where gradients are next to nothing, and dropout draws anew on each device.
    "--gpu 0 --variant conv --epochs 3 --batch-size 60 --optimizer sgd --learning-rate 0.001 --dropout 0 "
    "--precision float32 --wandb off --no-export"
)


@pytest.fixture(scope="module")
def cloud(images, local_shards):
    with network("hosts") as cloud, pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", cloud.storage_here)
        for name, content in local_shards.items():
            storage.write_bytes(storage.join(DATA, name), content)
        yield cloud


def job(workers: int) -> Job:
    """A training on so many machines."""

    def pool(replicas: int) -> types.WorkerPoolSpec:
        container = types.ContainerSpec(
            image_uri="chrysalis/cnn",
            command=["python", "-m", "models.cnn.train_multi_gpu"],
            args=[*TRAINING.split(), "--input", DATA, "--output", output(workers)],
        )
        return types.WorkerPoolSpec(replica_count=replicas, container_spec=container)

    spec = types.CustomJobSpec(
        worker_pool_specs=[pool(1), *([pool(workers - 1)] if workers > 1 else [])],
        base_output_directory=types.GcsDestination(output_uri_prefix=output(workers)),
    )
    name = f"projects/1/locations/europe-west4/customJobs/{workers}"
    return Job(name=name, number=str(workers), display_name=f"{workers} workers", spec=spec, labels={})


def output(workers: int) -> str:
    return f"gs://hosts/models/digits/workers-{workers}"


def weights(workers: int) -> dict[str, np.ndarray]:
    folder = f"{output(workers)}/checkpoints"
    newest = max(file.name for file in storage.list_files(folder) if file.name.startswith("state-"))
    with np.load(io.BytesIO(storage.read_bytes(f"{folder}/{newest}"))) as arrays:
        return {name: arrays[name] for name in arrays.files if name.startswith("network/")}


def test_two_and_three_workers_reach_the_weights_of_one(cloud):
    for workers in (1, 2, 3):
        Containers(cloud).run_job(job(workers))
    alone = weights(1)
    assert len(alone) >= 4
    for workers in (2, 3):
        together = weights(workers)
        assert together.keys() == alone.keys()
        apart = max(np.abs(together[name] - alone[name]).max() for name in alone)
        print(f"{workers} workers: {apart:.2e} from the weights of one")
        assert apart <= 1e-5
