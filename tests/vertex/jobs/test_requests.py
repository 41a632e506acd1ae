"""Each kind of request, as the real client sends it and as --dry-run shows it."""

import json

import pytest

from contracts.console import exit_code
from rehearsal.vertex_ai import readable
from vertex.__main__ import app

ACCOUNT = "trainer@my-project.iam.gserviceaccount.com"
TRAIN = ["submit", "train", "--root", "gs://bucket/run"]
TUNE = ["tune", "--space", "searches/from_scratch.yaml", "--root", "gs://bucket/run", "--model", "cnn"]

REQUESTS = {
    "download": ["submit", "download", "--root", "gs://bucket/run"],
    "process": ["submit", "process", "--root", "gs://bucket/run", "--", "--seed", "1"],
    "records": ["submit", "records", "--root", "gs://bucket/run", "--machine-type", "n1-standard-16"],
    "train_on_a_cpu": [*TRAIN, "--gpu", "0", "--", "--epochs", "3"],
    "train_on_four_gpus": [*TRAIN, "--gpu", "4", "--", "--epochs", "20"],
    "train_on_three_hosts": [*TRAIN, "--workers", "3", "--gpu", "2", "--accelerator", "NVIDIA_L4"],
    "train_on_a_spot_machine": [*TRAIN, "--spot", "--timeout", "12h", "--restart-on-worker-restart"],
    "train_when_machines_are_free": [*TRAIN, "--max-wait", "6h", "--accelerator", "NVIDIA_L4"],
    "train_with_tensorboard": [*TRAIN, "--tensorboard", "987", "--service-account", ACCOUNT],
    "train_with_everything_else": [
        *(*TRAIN, "--network", "projects/123/global/networks/inner", "--reserved-ip-range", "vertex-range"),
        *("--enable-web-access", "--boot-disk-gb", "200", "--boot-disk-type", "pd-standard"),
        *("--env", "TF_CPP_MIN_LOG_LEVEL=2", "--label", "team=vision", "--wandb-secret", "wandb-key:3"),
        *("--base-output", "gs://bucket/elsewhere/", "--run-id", "Run.1"),
    ],
    "tune": [*TUNE, "--gpu", "0", "--trials", "4", "--parallel", "2", "--", "--epochs", "5"],
    "tune_on_spot_machines": [
        *("tune", "--space", "searches/fine_tuning.yaml", "--root", "gs://bucket/run", "--study", "fine"),
        *("--gpu", "2", "--spot", "--secret", "WANDB_API_KEY=wandb-key", "--", "--weights", "imagenet"),
    ],
}


def run(*arguments: str) -> int:
    return exit_code(lambda: app(list(arguments), standalone_mode=False), "python -m vertex")


@pytest.mark.parametrize("kind", REQUESTS)
def test_the_request_is_what_the_dry_run_shows(kind, vertex_ai, snapshot, capsys):
    command, *rest = REQUESTS[kind]
    assert run(command, "--dry-run", *rest) == 0
    assert not vertex_ai.requests
    promised = json.loads(capsys.readouterr().out)
    assert run(command, "--no-wait", *rest) == 0, capsys.readouterr().err
    (sent,) = [request for request in vertex_ai.requests if request.method == "POST"]
    name = promised.pop("displayName")
    assert {key: value for key, value in sent.body.items() if key != "displayName"} == promised
    assert name[:-15] == sent.body["displayName"][:-15]
    assert readable(sent) == snapshot
