"""Each thing that can be wrong in the project has its own line, which says what to do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from typer.testing import CliRunner

from vertex.__main__ import app

# Imported by path: the tests' folders are no packages.
P = "/v1/projects/my-project"
BUCKET = "/storage/v1/b/my-bucket"
ACCOUNT = "training@my-project.iam.gserviceaccount.com"
SERVING = "serving@my-project.iam.gserviceaccount.com"
QUOTA = (
    "/v1beta1/projects/my-project/services/aiplatform.googleapis.com/consumerQuotaMetrics/"
    "aiplatform.googleapis.com%2Fcustom_model_training_nvidia_t4_gpus"
)
NO = {"error": {"code": 403, "message": "Permission denied", "status": "PERMISSION_DENIED"}}
OURS = (
    "credentials",
    "APIs",
    "region",
    "quota",
    "bucket",
    "images",
    "service account",
    "serving account",
    "W&B secret",
    "API key",
)


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


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["--spot", "--accelerator", "NVIDIA_L4", "--gpu", "2", "--workers", "2"],
            "ok custom_model_training_preemptible_nvidia_l4_gpus in europe-west4: 4 wanted, no limit",
        ),
        (
            ["--max-wait", "6h", "--machine-type", "g2-standard-24", "--gpu", "2"],
            "ok custom_model_training_preemptible_nvidia_l4_gpus in europe-west4: 2 wanted, no limit",
        ),
        (["--gpu", "0"], "ok custom_model_training_cpus in europe-west4: 8 wanted, 42 allowed"),
        (
            ["--gpu", "0", "--workers", "2", "--machine-type", "n1-highmem-32"],
            "failed custom_model_training_cpus in europe-west4: 64 wanted, 42 allowed",
        ),
        (
            ["--gpu", "0", "--machine-type", "n2-standard-16"],
            "ok custom_model_training_n2_cpus in europe-west4: 16 wanted, 20 allowed",
        ),
        (["--gpu", "1", "--max-wait", "6h"], "failed --max-wait is for machines with NVIDIA_L4"),
        (["--accelerator", "NVIDIA_H100_80GB"], "failed a3-highgpu-1g is no standard machine: give --spot"),
        (["--gpu", "3"], "failed a machine holds 1, 2, 4 of NVIDIA_TESLA_T4; got --gpu 3"),
    ],
)
def test_each_kind_of_machine_has_a_quota_of_its_own(google, tmp_path, arguments, line):
    (told,) = doctor(tmp_path, *arguments)[1]["quota"]
    assert told.startswith(line)


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (
            ["aiplatform", "iam"],
            "failed off in my-project: gcloud services enable aiplatform.googleapis.com iam.googleapis.com",
        ),
        (["dataflow"], "warning off, which only RUN=dataflow needs: gcloud"),
        (["run"], "warning off, which only TARGET=cloudrun or function needs: gcloud"),
    ],
)
def test_services_that_are_off_are_told(google, tmp_path, names, line):
    google.switch_off(*names)
    (told,) = doctor(tmp_path)[1]["APIs"]
    assert told.startswith(line)


@pytest.mark.parametrize(
    ("check", "path", "answer", "line"),
    [
        (
            "APIs",
            f"{P}/services:batchGet",
            (403, NO),
            "failed my-project doesn't answer this account (HTTP 403",
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
            "serving account",
            f"{P}/serviceAccounts/{SERVING}",
            (404, {}),
            f"failed {SERVING} doesn't exist: check CHRYSALIS_SERVING_ACCOUNT",
        ),
        (
            "serving account",
            f"{P}/serviceAccounts/{SERVING}:testIamPermissions",
            {},
            f"failed this account may not start servers as {SERVING}",
        ),
        (
            "W&B secret",
            f"{P}/secrets/wandb/versions/latest",
            (404, {}),
            "failed projects/my-project/secrets/wandb doesn't exist: gcloud secrets create wandb",
        ),
        (
            "W&B secret",
            f"{P}/secrets/wandb/versions/latest",
            {"state": "DISABLED"},
            "is DISABLED: gcloud secrets",
        ),
        (
            "API key",
            f"{P}/secrets/api-key/versions/latest",
            (404, {}),
            "warning TARGET=cloudrun needs it: projects/my-project/secrets/api-key doesn't exist: gcloud",
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


@pytest.mark.parametrize("state", [{"name": "projects/123/secrets/it"}, (403, NO)])
def test_a_secret_without_a_version_is_told_to_get_one(google, tmp_path, state):
    """As Terraform leaves it; one that may not be looked at isn't made a second time."""
    for name, check in {"wandb": "W&B secret", "api-key": "API key"}.items():
        google.answers[f"{P}/secrets/{name}/versions/latest"] = (404, {})
        google.answers[f"{P}/secrets/{name}"] = state
        (line,) = doctor(tmp_path)[1][check]
        assert f"gcloud secrets versions add {name} --data-file=FILE --project my-project" in line
        assert "create" not in line


@pytest.mark.parametrize(
    ("variable", "check", "line"),
    [
        ("REGION", "region", "failed Vertex AI isn't in None: set CHRYSALIS_REGION"),
        ("BUCKET", "bucket", "failed no bucket: set CHRYSALIS_BUCKET"),
        ("IMAGES", "images", "failed no registry: set CHRYSALIS_IMAGES"),
        ("SERVICE_ACCOUNT", "service account", "warning none is set (CHRYSALIS_SERVICE_ACCOUNT)"),
        ("SERVING_ACCOUNT", "serving account", "ok none is set (CHRYSALIS_SERVING_ACCOUNT)"),
        ("WANDB_SECRET", "W&B secret", "ok none is set (CHRYSALIS_WANDB_SECRET)"),
        ("API_KEY_SECRET", "API key", "ok none is set (CHRYSALIS_API_KEY_SECRET)"),
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


def user_key() -> dict[str, str]:
    secret = "secret-that-must-not-show"
    return {
        "type": "authorized_user",
        "client_id": "id",
        "client_secret": secret,
        "refresh_token": secret,
    }


def account_key(token_uri: str) -> dict[str, str]:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    pem = made.private_bytes(encoding, form, serialization.NoEncryption()).decode()
    email = "me@my-project.iam.gserviceaccount.com"
    return {"type": "service_account", "client_email": email, "private_key": pem, "token_uri": token_uri}


def test_credentials_that_no_longer_hold_are_told(google, tmp_path):
    google.answers["/token"] = (400, {"error": "invalid_grant", "error_description": "revoked"})
    key = tmp_path / "key.json"
    key.write_text(json.dumps(account_key(f"{google.url}/token")))
    done = run(tmp_path, GOOGLE_APPLICATION_CREDENTIALS=str(key))
    assert done.returncode == 1
    assert "revoked" in done.stdout
    assert "gcloud auth application-default login" in done.stdout


def test_a_network_that_is_away_isnt_blamed_on_the_credentials(tmp_path):
    key = tmp_path / "key.json"
    key.write_text(json.dumps(user_key()))
    done = run(tmp_path, GOOGLE_APPLICATION_CREDENTIALS=str(key), HTTPS_PROXY="http://127.0.0.1:1")
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if line[9:].startswith("credentials")]
    assert "check the network" in line
    assert "gcloud auth" not in line
    assert "must-not-show" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("check", "path", "answer"),
    [
        ("APIs", f"{P}/services:batchGet", {"services": [{"state": "ENABLED"}]}),
        ("region", f"{P}/locations", {"locations": 3}),
        ("quota", QUOTA, {"consumerQuotaLimits": [{"quotaBuckets": [{"effectiveLimit": "many"}]}]}),
        ("bucket", BUCKET, (403, {"error": {"message": "no", "details": None}})),
        ("bucket", f"{BUCKET}/iam/testPermissions", {"permissions": None}),
    ],
)
def test_an_answer_that_cant_be_read_is_a_warning(google, tmp_path, check, path, answer):
    google.answers[path] = answer
    told = doctor(tmp_path)[1][check]
    assert any(line.startswith("warning ") and "can't be known" in line for line in told), told
