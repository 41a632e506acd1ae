"""The records stage on Dataflow: Beam's real runner, and a service on loopback that runs what was staged."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from PIL import Image

from contracts import storage
from contracts.dataset import SPLITS, ShardIndex
from datapipeline.records.build_records import BuildConfig, build_records
from datapipeline.records.process import ProcessConfig, process
from rehearsal.dataflow import Dataflow, run_pipeline

# Stands where docker does: it runs the image's program here, and notes how it was called.
DOCKER = """#!/bin/sh
printf '%s\\n' "$@" > "$DOCKER_CALLED"
while [ "${1##*/beam:*}" ]; do shift; done
shift
exec "$PYTHON" -m datapipeline.records.build_records "$@" "--dataflow_endpoint=$DATAFLOW" --no_auth
"""


def refuse(job):
    raise RuntimeError("The zone has no more n2-standard-4: ZONE_RESOURCE_POOL_EXHAUSTED")


def run_and_linger(job):
    """Machines that have nothing left to do take their time to end."""
    run_pipeline(job)
    deadline = time.monotonic() + 30
    while job.requested_state.name != "JOB_STATE_CANCELLED" and time.monotonic() < deadline:
        time.sleep(0.1)


@pytest.fixture
def interim(bucket, tmp_path) -> str:
    """The root of a processed data set in the bucket: 40 images of two classes."""
    raw = tmp_path / "raw"
    for number in range(40):
        path = raw / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((40, 40), 50 + number).convert("RGB").save(path)
    names = [str(path.relative_to(raw)) for path in raw.rglob("*.png")]
    storage.upload_many(raw, names, f"{bucket}/raw/flower_photos")
    process(f"{bucket}/raw/flower_photos", f"{bucket}/interim/flower_photos", ProcessConfig())
    return bucket


@pytest.fixture
def dataflow(interim, tmp_path, gcs_emulator):
    """Run `python -m vertex dataflow` where docker's stand-in is found."""
    docker = tmp_path / "bin/docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    (tmp_path / "key.json").write_text("{}")

    def run(*arguments: str, service: Dataflow | None = None, **variables: str):
        environment = {
            **os.environ,
            "PATH": f"{docker.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(Path("src").absolute()),
            "PYTHON": sys.executable,
            "DOCKER_CALLED": str(tmp_path / "called"),
            "DATAFLOW": service.url if service else "",
            "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "key.json"),
            **variables,
        }
        command = [
            sys.executable,
            "-m",
            "vertex",
            "dataflow",
            "--root",
            interim,
            "--dataset",
            "flower_photos",
        ]
        return subprocess.run(
            [*command, *arguments], env=environment, capture_output=True, text=True, cwd=tmp_path, timeout=120
        )

    return run


def readable(job, bucket: str) -> dict[str, Any]:
    """The job's request without what differs from run to run, and what Beam says of itself."""
    document = MessageToDict(type(job).pb(job))
    for ours in ("id", "currentState", "requestedState", "clientRequestId"):
        document.pop(ours, None)
    environment = document["environment"]
    for beams in ("sdkPipelineOptions", "userAgent", "version", "experiments"):
        environment.pop(beams, None)
    for image in environment["workerPools"][0]["sdkHarnessContainerImages"]:
        del image["capabilities"]
    text = re.sub(r"\d{8}-\d{6}", "DATE-TIME", json.dumps(document).replace(bucket, "bucket"))
    return json.loads(re.sub(r"localhost:\d+", "localhost", re.sub(r"\.\d+\.\d+", "", text)))


def test_dataflow_gets_the_job_and_its_workers_build_the_same_shards(dataflow, interim, tmp_path, snapshot):
    with Dataflow() as service:
        done = dataflow(
            *("--max-workers", "7", "--launcher", "docker", "--", "--shards", "2"),
            service=service,
            CHRYSALIS_SERVICE_ACCOUNT="records@my-project.iam.gserviceaccount.com",
            CHRYSALIS_NETWORK="projects/12/global/networks/peered",
        )
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        job = service.job
    assert service.requests[0] == ("POST", "/v1b3/projects/my-project/locations/europe-west4/jobs")
    assert readable(job, interim.removeprefix("gs://")) == snapshot

    image = "europe-west4-docker.pkg.dev/my-project/chrysalis/beam:latest"
    called = (tmp_path / "called").read_text().splitlines()
    key = tmp_path / "key.json"
    assert called[:7] == [
        *("run", "--rm", "--volume", f"{key}:/run/secrets/gcp_key:ro"),
        *("--env", "GOOGLE_APPLICATION_CREDENTIALS=/run/secrets/gcp_key", image),
    ]

    built = ShardIndex.read(f"{interim}/processed/flower_photos")
    here = build_records(
        f"{interim}/interim/flower_photos", str(tmp_path / "here"), BuildConfig(shards=2, workers=1)
    )
    assert built == here and len(built.shards["train"]) == 2
    for shard in (shard for split in SPLITS for shard in built.shards[split]):
        there = storage.read_bytes(f"{interim}/processed/flower_photos/{shard.name}")
        assert there == (tmp_path / "here" / shard.name).read_bytes()


def test_a_job_that_dataflow_fails_is_told_in_one_line(dataflow, interim):
    with Dataflow(run=refuse) as service:
        done = dataflow("--launcher", "docker", service=service)
    assert done.returncode == 1
    assert "ZONE_RESOURCE_POOL_EXHAUSTED" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    with pytest.raises(storage.NotFoundError):
        storage.read_bytes(f"{interim}/processed/flower_photos/index.json")


def test_an_image_that_changed_cancels_the_job(dataflow, interim):
    storage.write_bytes(f"{interim}/raw/flower_photos/a/0.png", b"not the image that was processed")
    with Dataflow(run=run_and_linger) as service:
        done = dataflow("--launcher", "docker", service=service)
    assert done.returncode == 1
    assert "a/0.png was changed since its data set was processed" in done.stderr.splitlines()[-1]
    assert "PUT" in {method for method, _ in service.requests}
    assert service.job.current_state.name == "JOB_STATE_CANCELLED"


def test_a_dry_run_prints_the_command(dataflow):
    done = dataflow(
        *("--launcher", "docker", "--dry-run", "--subnetwork", "regions/r/subnetworks/s"),
        *("--dataset", "Flowers.v2"),
    )
    words = shlex.split(done.stdout)
    assert "--labels=dataset=flowers-v2" in words
    assert words[:2] == ["docker", "run"]
    assert "--subnetwork=regions/r/subnetworks/s" in words
    assert not any(word.startswith("--network=") for word in words)


def test_without_docker_a_custom_job_starts_it(dataflow):
    done = dataflow(
        "--dry-run",
        PATH="/nowhere",
        CHRYSALIS_SERVICE_ACCOUNT="trainer@my-project.iam.gserviceaccount.com",
        CHRYSALIS_DATAFLOW_ACCOUNT="worker@my-project.iam.gserviceaccount.com",
    )
    job = json.loads(done.stdout)
    [pool] = job["jobSpec"]["workerPoolSpecs"]
    assert pool["containerSpec"]["imageUri"].endswith("/beam:latest")
    assert "--runner=DataflowRunner" in pool["containerSpec"]["args"]
    assert pool["machineSpec"]["machineType"] == "n1-standard-4"
    # Only the first may start Dataflow jobs, and have them run as the second.
    assert job["jobSpec"]["serviceAccount"].startswith("trainer@")
    worker = "--service_account_email=worker@my-project.iam.gserviceaccount.com"
    assert worker in pool["containerSpec"]["args"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--", "--region=us-east1"], "--region is composed of the settings: leave it out"),
        (["--launcher", "docker", "--no-wait"], "--no-wait and --again are of a job: give --launcher vertex"),
    ],
)
def test_what_is_composed_or_of_a_job_cannot_be_given(dataflow, given, message):
    done = dataflow(*given)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert message in done.stderr
