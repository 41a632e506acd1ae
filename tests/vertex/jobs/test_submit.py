import json
import os
import subprocess
import sys

import pytest
from google.cloud.aiplatform_v1.types import CustomJob

from contracts.console import exit_code
from vertex.__main__ import app

ROOT = "gs://bucket/run"


def run(*arguments: str) -> int:
    return exit_code(lambda: app(["submit", *arguments], standalone_mode=False), "python -m vertex")


def dry_run(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    """The printed body, which Google's own message must accept."""
    assert run(arguments[0], "--dry-run", *arguments[1:]) == 0
    printed = capsys.readouterr().out
    CustomJob.from_json(printed)
    return json.loads(printed)


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "vertex", "submit", *arguments],
        env={**os.environ, "PYTHONPATH": "src"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def events(stderr: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in stderr.splitlines() if line.startswith("{")]


@pytest.mark.parametrize(
    ("arguments", "image", "module", "args", "output"),
    [
        (
            ["download"],
            "download",
            "datapipeline.download.dataloader",
            ["--source", "digits", "--output", f"{ROOT}/raw/digits"],
            f"{ROOT}/raw/digits",
        ),
        (
            ["download", "--dataset", "Dogs", "--source", "https://host/dogs.tar"],
            "download",
            "datapipeline.download.dataloader",
            ["--source", "https://host/dogs.tar", "--output", f"{ROOT}/raw/Dogs"],
            f"{ROOT}/raw/Dogs",
        ),
        (
            ["process", "--", "--seed", "7"],
            "records",
            "datapipeline.records.process",
            ["--input", f"{ROOT}/raw/digits", "--output", f"{ROOT}/interim/digits", "--seed", "7"],
            f"{ROOT}/interim/digits",
        ),
        (
            ["records"],
            "records",
            "datapipeline.records.build_records",
            ["--input", f"{ROOT}/interim/digits", "--output", f"{ROOT}/processed/digits"],
            f"{ROOT}/processed/digits",
        ),
        (
            ["train", "--gpu", "0", "--run-id", "a.1"],
            "vgg16",
            "models.vgg16.train_multi_gpu",
            ["--gpu", "0", "--input", f"{ROOT}/processed/digits", "--output", f"{ROOT}/models/digits/a.1"],
            f"{ROOT}/models/digits/a.1",
        ),
    ],
)
def test_the_dry_run_prints_the_stages_request(capsys, arguments, image, module, args, output):
    body = dry_run(capsys, arguments[0], "--root", ROOT, "--tag", "v1", *arguments[1:])
    assert body["jobSpec"] == {
        "workerPoolSpecs": [
            {
                "machineSpec": {"machineType": "n1-standard-8"},
                "replicaCount": "1",
                "containerSpec": {
                    "imageUri": f"europe-west4-docker.pkg.dev/my-project/chrysalis/{image}:v1",
                    "command": ["python", "-m", module],
                    "args": args,
                },
            }
        ],
        "baseOutputDirectory": {"outputUriPrefix": output},
    }
    assert body["labels"]["stage"] == arguments[0]
    assert body["labels"]["dataset"] in ("digits", "dogs")


def test_gpus_spot_and_account_of_a_training_job(capsys):
    body = dry_run(
        capsys,
        *("train", "--root", ROOT, "--model", "xception", "--gpu", "8", "--accelerator", "NVIDIA_L4"),
        *("--spot", "--service-account", "trainer@my-project.iam.gserviceaccount.com"),
    )
    job = CustomJob.from_json(json.dumps(body)).job_spec
    (pool,) = job.worker_pool_specs
    assert pool.machine_spec.machine_type == "g2-standard-96"
    assert pool.machine_spec.accelerator_type.name == "NVIDIA_L4"
    assert pool.machine_spec.accelerator_count == 8
    assert pool.container_spec.image_uri.endswith("/xception-cuda:latest")
    assert pool.container_spec.args[:2] == ["--gpu", "8"]
    assert job.scheduling.strategy.name == "SPOT"
    assert job.service_account == "trainer@my-project.iam.gserviceaccount.com"


@pytest.mark.parametrize("stage", ["download", "process", "records"])
def test_trainings_accelerator_may_stand_with_every_stage(capsys, stage):
    (pool,) = dry_run(capsys, stage, "--root", ROOT, "--accelerator", "NVIDIA_L4")["jobSpec"][
        "workerPoolSpecs"
    ]
    assert pool["machineSpec"] == {"machineType": "n1-standard-8"}


def test_submits_what_the_dry_run_printed_and_follows_it_to_its_end(
    vertex_ai, capsys, monkeypatch, snapshot, readable
):
    monkeypatch.setenv("WANDB_API_KEY", "a-secret-key")
    vertex_ai.secrets["wandb"] = "a-secret-key"
    arguments = ["train", "--root", ROOT, "--gpu", "4", "--", "--epochs", "3"]
    promised = dry_run(capsys, *arguments)
    process = start(*arguments)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr

    (created,) = (asked for asked in vertex_ai.requests if asked.path.endswith("/customJobs") and asked.body)
    assert readable(created) == snapshot
    assert created.body.pop("displayName").startswith("chrysalis-train-digits-2")
    promised.pop("displayName")
    assert created.body == promised
    assert "authorization" not in created.headers
    submitted = next(event for event in events(stderr) if event["event"] == "submitted")
    assert "/locations/europe-west4/training/" in submitted["console"]
    states = [event["state"] for event in events(stderr) if event["event"] == "job"]
    assert states == ["PENDING", "RUNNING", "SUCCEEDED"]


def test_a_refusal_is_one_line_and_no_traceback(vertex_ai):
    vertex_ai.refuse(403, "Permission 'aiplatform.customJobs.create' denied")
    process = start("process", "--root", ROOT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 2
    assert len(stderr.splitlines()) == 1
    assert "customJobs.create' denied" in stderr


def test_no_wait_returns_once_the_job_is_there(vertex_ai, capsys):
    assert run("download", "--root", ROOT, "--no-wait") == 0
    assert not any("/customJobs/" in asked.path for asked in vertex_ai.requests)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "--project", ""], "no project: set CHRYSALIS_PROJECT in .env"),
        (["train", "--region", ""], "no region"),
        (["train", "--region", "Frankfurt"], "got 'Frankfurt'"),
        (["train", "--images", ""], "no images"),
        (["train", "--root", "data"], "expected --root gs://bucket/prefix, got 'data'"),
        (["train", "--root", ""], "no root"),
        (["train", "--gpu", "3"], "1, 2, 4 of NVIDIA_TESLA_T4; got --gpu 3"),
        (["train", "--accelerator", "GTX"], "got GTX"),
        (["train", "--gpu", "0", "--accelerator", "NVIDIA_L4"], "without GPUs"),
        (["train", "--dataset", "a/b"], "got 'a/b'"),
        (["train", "--run-id", "../a"], "got '../a'"),
        (["train", "--", "--output=elsewhere"], "--output is composed of --root"),
        (["train", "--", "--dry-run"], "--dry-run belongs before the --"),
        (["train", "--", "--tag=key-of-wandb"], "WANDB_API_KEY"),
        (["train", "--gpu", "all"], "--gpu all can't be known before there is a machine"),
        (["train", "--gpu", "two"], "expected --gpu to be a number"),
        (["train", "--", "--workers", "3"], "--workers belongs before the --"),
        (["train", "--spot", "--max-wait", "1h"], "leave out either it or --spot"),
        (["train", "--timeout", "8d"], "7 days at most"),
        (["train", "--network", "projects/p/global/networks/n"], "with the project's number"),
        (["train", "--reserved-ip-range", "r"], "give --network, too"),
        (["train", "--tensorboard", "7"], "--tensorboard needs --service-account"),
        (["train", "--tensorboard", "x"], "expected --tensorboard projects/P/locations/R"),
        (["train", "--tensorboard", "projects/p/locations/us-east1/tensorboards/7"], "has to be in"),
        (["train", "--base-output", "/tmp"], "expected --base-output gs://bucket/prefix"),
        (["train", "--label", "stage=x"], "has one of this name already"),
        (["train", "--label", "a=B c"], "expected lower-case letters"),
        (["train", "--env", "WANDB_API_KEY=key-of-wandb"], "give --secret WANDB_API_KEY=SECRET"),
        (["train", "--label", "who=key-of-wandb"], "the value of WANDB_API_KEY stands in the request"),
        (["records", "--gpu", "1"], "--gpu belongs to train"),
        (["records", "--workers", "2"], "--workers belongs to train"),
        (["download", "--source", "./photos"], "can't see this machine's ./photos"),
        (["download", "--dataset", "nosuch"], "nosuch isn't in the catalogue, data/sources (digits"),
        (["download", "--dataset", "README.md"], "can't see this machine's README.md"),
        (["train", "--model", "vg16"], "expected --model to be one of cnn, "),
        (["train", "--root", "gs://bucket/a/../b"], "expected --root without"),
        (["serve"], "'stage': 'serve' is not one of"),
        (
            ["train", "gpu", "4", "--", "--epochs", "2"],
            "unexpected gpu: options of the stage itself stand behind",
        ),
        (["train", "--timeout", "12"], "expected --timeout as in 12h, 90m or 1d12h; got '12'"),
        (["train", "--env", "A=\udcff"], "expected env in UTF-8"),
        (["train", "--", "--tag", "\udcff"], "expected extra in UTF-8"),
        (["train", "--root", "gs://b/\x1b"], "expected --root without"),
        (["download", "--source", "s3://a/b.zip"], "expected gs://bucket/name or an http(s) address"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(capsys, monkeypatch, arguments, says):
    monkeypatch.setenv("WANDB_API_KEY", "key-of-wandb")
    stage, *rest = arguments
    assert run(stage, "--root", ROOT, "--dry-run", *rest) == 2
    complaint = capsys.readouterr().err
    assert says in complaint
    assert len(complaint.splitlines()) == 1


def test_without_credentials_it_says_how_to_get_them(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    assert run("download", "--root", ROOT) == 2
    assert "gcloud auth application-default login" in capsys.readouterr().err


def test_a_service_that_is_not_there_is_exit_1(capsys):
    assert run("download", "--root", ROOT, "--api-endpoint", "http://127.0.0.1:9") == 1
    assert "can't be reached" in capsys.readouterr().err


def test_the_help_shows_examples(capsys):
    assert run("--help") == 0
    assert "python -m vertex submit train --root gs://bucket/run" in capsys.readouterr().out
