"""Each thing that can be wrong in the project has its own line, which says what to do."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from vertex.__main__ import app

# Imported by path: the tests' folders are no packages.
P = "/v1/projects/my-project"
BUCKET = "/storage/v1/b/my-bucket"
ACCOUNT = "training@my-project.iam.gserviceaccount.com"
QUOTA = (
    "/v1beta1/projects/my-project/services/aiplatform.googleapis.com/consumerQuotaMetrics/"
    "aiplatform.googleapis.com%2Fcustom_model_training_nvidia_t4_gpus"
)
NO = {"error": {"code": 403, "message": "Permission denied", "status": "PERMISSION_DENIED"}}
OURS = ("credentials", "APIs", "region", "quota", "bucket", "images", "service account", "W&B secret")


def doctor(root: Path, *arguments: str) -> tuple[int, dict[str, list[str]]]:
    """The exit code, and each check's lines as "status message"; the data's folder is a local one."""
    done = CliRunner().invoke(app, ["doctor", "--json", "--root", str(root), *arguments])
    lines: dict[str, list[str]] = {}
    for found in json.loads(done.stdout):
        lines.setdefault(found["check"], []).append(f"{found['status']} {found['message']}")
    return done.exit_code, lines


def test_all_is_well(google, tmp_path):
    code, lines = doctor(tmp_path)
    assert code == 0, lines
    told = {check: lines[check] for check in OURS}
    assert all(line.startswith("ok ") for of_check in told.values() for line in of_check), told
    assert told["quota"][0].startswith("ok custom_model_training_nvidia_t4_gpus in europe-west4: 1 wanted, 4")
    assert len(told["bucket"]) == 2
    assert {method for method, path, _ in google.asked if not path.endswith(":testIamPermissions")} <= {
        "GET",
        "HEAD",
    }
    assert not any("access" in path for _, path, _ in google.asked), "the secret's value isn't asked for"


def test_spot_machines_and_cpus_have_quotas_of_their_own(google, tmp_path):
    _, lines = doctor(tmp_path, "--spot", "--accelerator", "NVIDIA_L4", "--gpu", "2", "--workers", "2")
    assert "preemptible_nvidia_l4_gpus in europe-west4: 4 wanted, no limit" in lines["quota"][0]
    _, lines = doctor(tmp_path, "--gpu", "0")
    assert "custom_model_training_cpus in europe-west4: 8 wanted, 42 allowed" in lines["quota"][0]


def off(*names: str) -> dict[str, Any]:
    on = [
        "aiplatform",
        "artifactregistry",
        "compute",
        "dataflow",
        "iam",
        "logging",
        "secretmanager",
        "storage",
    ]
    return {
        "services": [
            {"name": f"projects/1/services/{name}.googleapis.com", "state": "ENABLED"}
            for name in on
            if name not in names
        ]
    }


@pytest.mark.parametrize(
    ("check", "path", "answer", "line"),
    [
        (
            "APIs",
            f"{P}/services:batchGet",
            (403, NO),
            "failed my-project doesn't answer this account (HTTP 403",
        ),
        (
            "APIs",
            f"{P}/services:batchGet",
            off("aiplatform", "iam"),
            "failed off in my-project: gcloud services enable aiplatform.googleapis.com iam.googleapis.com",
        ),
        (
            "APIs",
            f"{P}/services:batchGet",
            off("dataflow"),
            "warning off, which only RUN=dataflow needs: gcloud",
        ),
        ("APIs", f"{P}/services:batchGet", (503, {}), "failed http://127.0.0.1"),
        (
            "region",
            f"{P}/locations",
            {"locations": [{"locationId": "us-central1"}]},
            "failed Vertex AI isn't in 'europe-west4': set CHRYSALIS_REGION to one of us-central1",
        ),
        (
            "region",
            f"{P}/locations",
            (403, NO),
            "warning can't be known, as this account may not look: HTTP 403",
        ),
        (
            "quota",
            QUOTA,
            {"consumerQuotaLimits": [{"quotaBuckets": [{"effectiveLimit": "0"}]}]},
            "failed custom_model_training_nvidia_t4_gpus in europe-west4: 1 wanted, 0 allowed: ask",
        ),
        (
            "quota",
            QUOTA,
            {},
            "warning can't be known: the service tells no limit of custom_model_training_nvidia",
        ),
        (
            "bucket",
            f"{BUCKET}/iam/testPermissions",
            (404, {}),
            "failed gs://my-bucket doesn't exist: gcloud storage",
        ),
        (
            "bucket",
            f"{BUCKET}/iam/testPermissions",
            {"permissions": ["storage.objects.get", "storage.objects.list"]},
            "failed gs://my-bucket: this account lacks storage.objects.create, storage.objects.delete",
        ),
        (
            "bucket",
            BUCKET,
            {"location": "US"},
            "warning gs://my-bucket is in US, and jobs run in europe-west4",
        ),
        ("bucket", BUCKET, {"location": "EU"}, "ok gs://my-bucket is in EU, as the jobs are"),
        ("bucket", BUCKET, (403, NO), "warning where gs://my-bucket is can't be known"),
        (
            "images",
            "/v2/chrysalis/vgg16-cuda/manifests/latest",
            (404, {}),
            "/chrysalis has no vgg16-cuda tagged latest: make push MODEL=vgg16, or set CHRYSALIS_TAG",
        ),
        (
            "images",
            "/v2/chrysalis/serving/manifests/latest",
            (403, {}),
            "/serving:latest: HTTP 403: check",
        ),
        (
            "service account",
            f"{P}/serviceAccounts/{ACCOUNT}",
            (404, {}),
            f"failed {ACCOUNT} doesn't exist: check",
        ),
        (
            "service account",
            f"{P}/serviceAccounts/{ACCOUNT}",
            {"disabled": True},
            f"failed {ACCOUNT} is disabled: gcloud iam service-accounts enable",
        ),
        (
            "service account",
            f"{P}/serviceAccounts/{ACCOUNT}:testIamPermissions",
            {},
            f"failed this account may not start jobs as {ACCOUNT}: gcloud iam service-accounts",
        ),
        (
            "W&B secret",
            f"{P}/secrets/wandb/versions/latest",
            (404, {}),
            "failed projects/my-project/secrets/wandb",
        ),
        (
            "W&B secret",
            f"{P}/secrets/wandb/versions/latest",
            {"state": "DISABLED"},
            "is DISABLED: gcloud secrets",
        ),
    ],
)
def test_what_is_wrong_is_told(google, tmp_path, check, path, answer, line):
    google.answers[path] = answer
    code, lines = doctor(tmp_path)
    told = lines.pop(check)
    assert any(line in each for each in told), told
    assert code == any(each.startswith("failed") for each in told)
    assert all(each.startswith("ok ") for name in OURS if name in lines for each in lines[name]), lines


@pytest.mark.parametrize(
    ("variable", "check", "line"),
    [
        ("REGION", "region", "failed Vertex AI isn't in None: set CHRYSALIS_REGION"),
        ("BUCKET", "bucket", "failed no bucket: set CHRYSALIS_BUCKET"),
        ("IMAGES", "images", "failed no registry: set CHRYSALIS_IMAGES"),
        ("SERVICE_ACCOUNT", "service account", "warning none is set (CHRYSALIS_SERVICE_ACCOUNT)"),
        ("WANDB_SECRET", "W&B secret", "ok none is set (CHRYSALIS_WANDB_SECRET)"),
    ],
)
def test_a_setting_that_is_missing_is_told(google, tmp_path, monkeypatch, variable, check, line):
    monkeypatch.delenv(f"CHRYSALIS_{variable}")
    assert doctor(tmp_path)[1][check][0].startswith(line)


def test_a_service_that_is_away_is_told(google, tmp_path, monkeypatch):
    monkeypatch.setenv("CHRYSALIS_SECRETS_ENDPOINT", "http://127.0.0.1:1")
    code, lines = doctor(tmp_path)
    assert code == 1
    assert "doesn't answer (ConnectionError): check the network" in lines["W&B secret"][0]


def run(tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """As a process, with nothing of this machine's credentials."""
    return subprocess.run(
        [sys.executable, "-m", "vertex", "doctor", "--root", str(tmp_path)],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).parents[3] / "src"),
            "HOME": str(tmp_path),
            "NO_GCE_CHECK": "true",
            "CHRYSALIS_PROJECT": "my-project",
            **variables,
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )


def test_no_credentials_are_one_line_and_end_the_asking(tmp_path):
    done = run(tmp_path)
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if line[9:].startswith("credentials")]
    assert line.startswith("failed   credentials      no Google Cloud credentials: run `gcloud auth")
    assert "APIs" not in done.stdout
    assert "Traceback" not in done.stderr


def test_credentials_that_no_longer_hold_are_told(google, tmp_path):
    google.answers["/token"] = (400, {"error": "invalid_grant", "error_description": "revoked"})
    key = tmp_path / "key.json"
    key.write_text(
        json.dumps(
            {
                "type": "authorized_user",
                "client_id": "id",
                "client_secret": "secret",
                "refresh_token": "token-that-must-not-show",
            }
        )
    )
    # Google's address of tokens can't be changed for a user's credentials, and isn't reached from tests.
    done = run(tmp_path, GOOGLE_APPLICATION_CREDENTIALS=str(key), HTTPS_PROXY="http://127.0.0.1:1")
    assert done.returncode == 1
    assert "credentials" in done.stdout
    assert "gcloud auth application-default login" in done.stdout
    assert "token-that-must-not-show" not in done.stdout + done.stderr
