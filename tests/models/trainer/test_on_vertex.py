"""Jobs on Vertex AI, as processes with the variables that the service sets, and buckets of an emulator."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.training_runs import left
from contracts import storage
from contracts.bundle import ModelBundle, open_bundle

SECONDS = 240
"""That a process may take before it counts as hanging."""
OPTIONS = ("--gpu", "0", "--variant", "conv", "--wandb", "off", "--batch-size", "16", "--seed", "3")
OPTIONS += ("--warmup", "0", "--label-error-images", "0")

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def records(tiny_records: Path, bucket: str) -> str:
    """The tiny records in the bucket."""
    names = [file.name for file in storage.list_files(str(tiny_records))]
    storage.upload_many(tiny_records, names, f"{bucket}/processed/tiny")
    return f"{bucket}/processed/tiny"


@pytest.fixture
def start(tmp_path: Path, bucket: str) -> Iterator[Start]:
    """Start a container's process: (options, …) with `base`, its base output directory, and variables."""
    started: list[subprocess.Popen[str]] = []

    def begin(*options: str, base: str = "", home: str = "home", **variables: str) -> subprocess.Popen[str]:
        (tmp_path / home).mkdir(exist_ok=True)
        folders = {"MODEL": "model", "CHECKPOINT": "checkpoints", "TENSORBOARD_LOG": "logs"}
        places = {f"AIP_{name}_DIR": f"{base}/{folder}/" for name, folder in folders.items()} if base else {}
        fonts = os.environ.get("MPLCONFIGDIR", str(Path("~/.cache/matplotlib").expanduser()))
        process = subprocess.Popen(
            [sys.executable, "-m", "models.cnn.train_multi_gpu", *OPTIONS, *options],
            env={
                "PYTHONPATH": "src",
                "PYTHONDONTWRITEBYTECODE": "1",
                "PATH": "",
                "HOME": str(tmp_path / home),
                "TMPDIR": str(tmp_path / home),
                "MPLCONFIGDIR": fonts,
                "STORAGE_EMULATOR_HOST": os.environ["STORAGE_EMULATOR_HOST"],
                **places,
                **variables,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


JOB = {"CLOUD_ML_PROJECT_ID": "my-project", "CLOUD_ML_REGION": "europe-west4", "CLOUD_ML_JOB_ID": "4711"}


def alone(**task: str) -> str:
    """What stands in CLUSTER_SPEC and, in other words, in TF_CONFIG of a job of a single machine."""
    role = {"type": "workerpool0", "index": 0, **task}
    return json.dumps({"cluster": {"workerpool0": ["cmle-0:2222"]}, "environment": "cloud", "task": role})


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = process.communicate(timeout=SECONDS)
    assert "Traceback" not in said, said
    return process.returncode, said


def until(process: subprocess.Popen[str], text: str, times: int) -> None:
    """Read what it says until a text came so often."""
    assert process.stdout
    deadline = time.monotonic() + SECONDS
    while times:
        line = process.stdout.readline()
        assert line, "it ended before"
        assert time.monotonic() < deadline
        times -= text in line


def fetched(base: str, folder: Path) -> Path:
    """What a job left below its base output directory, as a local run has it."""
    for part, into in (("model", folder), ("checkpoints", folder / "checkpoints")):
        names = [file.name for file in storage.list_files(f"{base}/{part}")]
        storage.download_many(f"{base}/{part}", names, into)
    return folder


def test_a_spot_machine_that_is_taken_away_costs_nothing(
    start: Start, records: str, bucket: str, tiny_records: Path, tmp_path: Path
) -> None:
    options = ("--epochs", "6", "--flip")
    whole = start("--input", str(tiny_records), "--output", str(tmp_path / "whole"), *options)
    assert ended(whole)[0] == 0

    base = f"{bucket}/models/tiny/night"
    mounted = f"/gcs/{records.removeprefix('gs://')}"
    vertex = {**JOB, "base": base, "CLUSTER_SPEC": alone(), "CHRYSALIS_GIT_COMMIT": "0" * 40}
    spot = start("--input", mounted, *options, **vertex)
    until(spot, '"event": "epoch"', 3)
    spot.send_signal(signal.SIGTERM)
    code, said = ended(spot)
    assert code == 143
    assert "the state is saved" in said
    assert not storage.exists(f"{base}/model/bundle.json")

    code, said = ended(start("--input", mounted, *options, **vertex, home="another-machine"))
    assert code == 0, said
    assert "going on from the last state" in said
    assert '"vertex_job": "4711"' in said
    assert left(fetched(base, tmp_path / "spot")) == left(tmp_path / "whole")
    with open_bundle(f"{base}/model") as (_, bundle):
        assert bundle.name == "night"
        assert bundle.config["vertex_job"] == "4711"
        assert "vertex_trial" not in bundle.config
    logs = [file.name for file in storage.list_files(f"{base}/logs")]
    assert len(logs) == 2  # one a process

    code, said = ended(start("--input", mounted, *options, **vertex))
    assert (code, "already trained" in said) == (0, True)


def test_a_trial_tells_the_service_how_it_goes(
    start: Start, records: str, bucket: str, tmp_path: Path
) -> None:
    base, metrics = f"{bucket}/models/tiny/study", tmp_path / "hypertune" / "output.metrics"
    trial = {
        **JOB,
        "base": f"{base}/7",
        "CLOUD_ML_TRIAL_ID": "7",
        "CLOUD_ML_HP_METRIC_FILE": str(metrics),
        "CLUSTER_SPEC": alone(trial="7"),
    }
    passed = ("--learning_rate=0.01", "--epochs=3.0", "--flip=true")
    code, said = ended(start("--input", records, *passed, **trial))
    assert code == 0, said

    told = [json.loads(line) for line in metrics.read_text().splitlines()]
    assert {line["trial"] for line in told} == {"7"}
    rows = storage.read_bytes(f"{base}/7/model/history.csv").decode().splitlines()
    names = rows[0].split(",")
    epochs = [dict(zip(names, row.split(","), strict=True)) for row in rows[1:]]
    assert len(epochs) == 3
    best = max(epochs, key=lambda row: (float(row["val_accuracy"]), -float(row["val_loss"])))
    for measure in ("val_accuracy", "val_loss"):
        steps = [(int(line["global_step"]), float(line[measure])) for line in told if measure in line]
        expected = [(number, float(row[measure])) for number, row in enumerate([*epochs, best], 1)]
        assert steps == expected

    bundle = ModelBundle.read(f"{base}/7/model")
    assert bundle.name == "study-07"
    assert (bundle.config["vertex_trial"], bundle.config["learning_rate"]) == ("7", 0.01)
    assert bundle.config["flip"] is True


def test_worker_pools_train_together_and_an_evaluator_has_nothing_to_do(
    start: Start, records: str, bucket: str
) -> None:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    addresses = [f"127.0.0.1:{found.getsockname()[1]}" for found in sockets]
    for found in sockets:
        found.close()
    pools = {f"workerpool{pool}": [address] for pool, address in enumerate(addresses)}
    pools["workerpool3"] = ["127.0.0.1:1"]
    base = f"{bucket}/models/tiny/together"

    def host(pool: int) -> subprocess.Popen[str]:
        task = {"type": f"workerpool{pool}", "index": 0}
        spec: dict[str, Any] = {"cluster": pools, "task": task, "environment": "cloud"}
        vertex = {**JOB, "base": base, "home": f"home-{pool}", "CLUSTER_SPEC": json.dumps(spec)}
        return start("--input", records, "--epochs", "2", **vertex)

    code, said = ended(host(3))
    assert (code, "nothing to do for an evaluator" in said) == (0, True)
    chief, worker = host(0), host(1)
    for process in (chief, worker):
        code, said = ended(process)
        assert code == 0, said
    assert ModelBundle.read(f"{base}/model").name == "together"
    # The chief alone writes.
    assert len([file for file in storage.list_files(f"{base}/logs") if "tfevents" in file.name]) == 1
    names = {file.name for file in storage.list_files(f"{base}/checkpoints")}
    assert {"best.npz", "state-000000008.npz"} <= names
