"""Several workers in containers, each with what Vertex AI tells it, train the network that one trains."""

import io
import subprocess

import numpy as np
import pytest
from google.cloud.aiplatform_v1 import types

from contracts import storage
from rehearsal.containers import Containers
from rehearsal.network import EMULATOR, ROOT, network
from rehearsal.vertex_ai import Job
from vertex.images import table
from vertex.push import build_command

pytestmark = pytest.mark.containers

IMAGE = "chrysalis/cnn"
DATA = "gs://hosts/processed/digits"
TRAINING = (
    # Adam makes rounding larger where gradients are next to nothing, and dropout draws anew on each device.
    "--gpu 0 --variant conv --epochs 2 --batch-size 60 --optimizer sgd --learning-rate 0.0005 --dropout 0 "
    "--precision float32 --wandb off --no-export"
)


@pytest.fixture(scope="module")
def cloud(local_shards):
    emulator = ["docker", "build", "--tag", EMULATOR, "--file", "deploy/emulator/Dockerfile", "."]
    for command in (emulator, build_command(table()["cnn"], [IMAGE], "unknown")):
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    with network("hosts") as cloud, pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", cloud.storage_here)
        for name, content in local_shards.items():
            storage.write_bytes(storage.join(DATA, name), content)
        yield cloud


def job(workers: int) -> Job:
    """A training on so many machines."""

    def pool(replicas: int) -> types.WorkerPoolSpec:
        container = types.ContainerSpec(
            image_uri=IMAGE,
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
