"""The chain as a pipeline: compiled by kfp, read by it again, run step by step, and submitted."""

import json
import os
import re
import signal
import subprocess
import sys
import zipfile
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from contracts import storage
from contracts.bundle import ModelBundle
from contracts.champion import Champion
from vertex.__main__ import app
from vertex.stages import Request, Stage, task

ROOT = "gs://bucket/run"
PLACEHOLDER = re.compile(r"\{\{\$\.inputs\.parameters\['([^']+)'\]\}\}")

# Of libraries that kfp imports.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


def pipeline(*arguments: str, root: str = ROOT):
    done = CliRunner().invoke(app, ["pipeline", "--root", root, *arguments])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


def resolved(text: str, values: dict[str, str]) -> str:
    return PLACEHOLDER.sub(lambda found: values[found[1]], text)


def containers(document, **given: str):
    """What a runner starts, by the step's name and in a possible order: image, command and arguments."""
    dag = document["root"]
    defaults = {
        name: each["defaultValue"] for name, each in dag["inputDefinitions"]["parameters"].items()
    } | given
    tasks = dag["dag"]["tasks"]
    order = TopologicalSorter({name: each.get("dependentTasks", ()) for name, each in tasks.items()})
    for name in order.static_order():
        inputs = tasks[name]["inputs"]["parameters"]
        outer = {
            key: defaults[each["componentInputParameter"]]
            for key, each in inputs.items()
            if "componentInputParameter" in each
        }
        values = outer | {
            key: resolved(each["runtimeValue"]["constant"], outer)
            for key, each in inputs.items()
            if "runtimeValue" in each
        }
        label = document["components"][tasks[name]["componentRef"]["name"]]["executorLabel"]
        container = document["deploymentSpec"]["executors"][label]["container"]
        arguments = [resolved(argument, values) for argument in container["args"]]
        yield name, container["image"], container["command"], arguments


def test_the_steps_are_what_submit_sends():
    document = yaml.safe_load(
        pipeline("--dataset", "flowers", "--gpu", "2", "--records-args", "--shards 3", "--", "--epochs", "9")
    )
    steps = {name: rest for name, *rest in containers(document)}
    assert list(steps) == ["download", "process", "records", "train", "gate"]
    requests = [
        Request(Stage.DOWNLOAD, ROOT, "flowers"),
        Request(Stage.PROCESS, ROOT, "flowers"),
        Request(Stage.RECORDS, ROOT, "flowers", extra=("--shards", "3")),
        Request(Stage.TRAIN, ROOT, "flowers", gpu=2, extra=("--epochs", "9")),
    ]
    for request in requests:
        submitted = task(request)
        image = f"europe-west4-docker.pkg.dev/my-project/chrysalis/{submitted.image}:latest"
        assert steps[request.stage] == [image, list(submitted.command), list(submitted.arguments)]
    assert steps["gate"][2] == [
        *("--model", f"{ROOT}/models/flowers/vgg16", "--input", f"{ROOT}/processed/flowers")
    ]


def test_a_run_may_have_other_values():
    text = pipeline("--", "--epochs", "9", "--learning-rate", "1e-4", "--no-augment")
    steps = {
        name: arguments
        for name, _, _, arguments in containers(
            yaml.safe_load(text), root="gs://other", dataset="dogs", run_id="b", epochs="2"
        )
    }
    assert steps["train"] == [
        *("--gpu", "1", "--input", "gs://other/processed/dogs", "--output", "gs://other/models/dogs/b"),
        *("--epochs", "2", "--learning-rate", "1e-4", "--no-augment"),
    ]
    assert steps["gate"][:2] == ["--model", "gs://other/models/dogs/b"]


def test_machines_retries_and_the_cache():
    document = yaml.safe_load(
        pipeline("--gpu", "4", "--accelerator", "NVIDIA_L4", "--wandb-secret", "wandb-key:3")
    )
    tasks, executors = document["root"]["dag"]["tasks"], document["deploymentSpec"]["executors"]
    train = executors["exec-train"]["container"]
    resources = train["resources"]
    # Values, as Vertex AI Pipelines reads no parameters here.
    assert resources["accelerator"] | {"type": "NVIDIA_L4", "count": "4"} == resources["accelerator"]
    assert (resources["cpuLimit"], resources["memoryLimit"]) == (48.0, 192.0)
    assert "{{" not in json.dumps(resources)
    secret = {"name": "WANDB_API_KEY_SECRET", "value": "projects/my-project/secrets/wandb-key/versions/3"}
    assert train["env"] == [secret]
    assert not any(each["cachingOptions"].get("enableCache") for each in tasks.values())
    assert [name for name, each in tasks.items() if "retryPolicy" not in each] == ["gate"]
    assert "accelerator" not in pipeline("--gpu", "0")
    tasks = yaml.safe_load(pipeline("--cache"))["root"]["dag"]["tasks"]
    assert [name for name, each in tasks.items() if not each["cachingOptions"].get("enableCache")] == ["gate"]


def test_it_compiles_to_the_same_text_and_kfp_reads_it(tmp_path):
    from kfp import components

    command = [sys.executable, "-m", "vertex", "pipeline", "--root", ROOT, "--output"]
    for seed in "12":
        environment = {**os.environ, "PYTHONPATH": "src", "PYTHONHASHSEED": seed}
        subprocess.run([*command, str(tmp_path / seed)], env=environment, check=True, capture_output=True)
    text = (tmp_path / "1").read_text()
    assert text == (tmp_path / "2").read_text()
    loaded = components.load_component_from_text(text)
    assert {"root", "dataset", "source", "run_id"} <= loaded.component_spec.inputs.keys()


PASSPHRASE = "correct hörse battery staple " * 10  # longer than a line of YAML


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--", "--output", "gs://b/x"], "--output is composed"),
        (["--gate-args", "'0.9"], "the options of a step can't be read: No closing quotation"),
        (["--", "--run-id", "b"], "--run-id is a parameter of the pipeline itself: give it before the --"),
        (["--gpu", "8", "--accelerator", "NVIDIA_TESLA_A100"], "a2-highgpu-8g 96 and 680: give a smaller"),
        (["--dataset", "nosuch"], "nosuch isn't in the catalogue, data/sources (digits"),
        (["--gpu", "3"], "a machine holds 1, 2, 4 of NVIDIA_TESLA_T4; got --gpu 3"),
        (["--run", "--network", "default"], "expected --network projects/NUMBER/global/networks/NAME"),
        (["--root", "gs://b/\x1b]0;x"], "control characters in its names"),
        (["--no-wait"], "--dry-run, --no-wait and --again are of a run: give --run, too"),
        (["--env", f"NOTE={PASSPHRASE}"], "the value of MY_PASSWORD stands in the request"),
        (["--run", "--", "--name", PASSPHRASE], "the value of MY_PASSWORD stands in the request"),
    ],
)
def test_what_cannot_be_is_told(monkeypatch, arguments, message):
    monkeypatch.setenv("MY_PASSWORD", PASSPHRASE)
    done = CliRunner().invoke(app, ["pipeline", "--root", ROOT, *arguments])
    assert message in str(done.exception)


def test_the_compiled_steps_make_a_champion(bucket, tmp_path):
    with (
        zipfile.ZipFile("data/sources/digits.zip") as digits,
        zipfile.ZipFile(tmp_path / "tiny.zip", "w") as tiny,
    ):
        for label in "012":
            for name in sorted(name for name in digits.namelist() if name.startswith(f"{label}/"))[:12]:
                tiny.writestr(name, digits.read(name))
    storage.upload(tmp_path / "tiny.zip", f"{bucket}/tiny.zip")
    options = "--gpu 0 --model cnn --gate-args=--min-accuracy=0 -- --epochs 1 --batch-size 8 --wandb off"
    document = yaml.safe_load(pipeline(*options.split()))
    environment = {**os.environ, "PYTHONPATH": str(Path("src").absolute())}
    values = {"root": bucket, "dataset": "tiny", "source": f"{bucket}/tiny.zip", "run_id": "a"}
    for name, _, [python, *module], arguments in containers(document, **values):
        assert python == "python"
        done = subprocess.run(
            [sys.executable, *module, *arguments],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, (name, done.stderr)
    assert ModelBundle.read(f"{bucket}/models/tiny/a").class_names == ("0", "1", "2")
    assert Champion.read(f"{bucket}/models/tiny").bundle == "a"


def test_a_run_is_submitted_and_followed(vertex_ai, snapshot, readable):
    done = CliRunner().invoke(app, ["pipeline", "--root", ROOT, "--run", "--", "--epochs", "2"])
    assert done.exit_code == 0, done.exception
    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["state"] for line in told if line["event"] == "job"] == [
        *("PENDING", "RUNNING", "SUCCEEDED")
    ]
    [created] = [request for request in vertex_ai.requests if request.method == "POST"]
    assert created.path == "/v1/projects/my-project/locations/europe-west4/pipelineJobs"
    assert re.fullmatch(r"chrysalis-pipeline-digits-\d{8}-\d{6}", created.query["pipelineJobId"])
    configuration = created.body["runtimeConfig"]
    assert (
        configuration["gcsOutputDirectory"] == "gs://bucket/tmp/pipelines"
    )  # not below the root: it is cleaned
    assert configuration["parameterValues"]["epochs"] == "2"
    assert readable(created) == snapshot


def test_a_dry_run_prints_what_would_be_sent(vertex_ai):
    pipeline("--run")
    [sent] = [request.body for request in vertex_ai.requests if request.method == "POST"]
    shown = json.loads(pipeline("--run", "--dry-run"))
    assert shown | {"displayName": ""} == sent | {"displayName": ""}


@pytest.fixture
def service(loopback, monkeypatch):
    """A service that gives the run these fields at every look."""

    def start(**seen):
        def answer(request, body):
            name = "projects/1/locations/europe-west4/pipelineJobs/run"
            job = {"name": name, "displayName": "run"} | (seen if request.command == "GET" else {})
            return 200, {"Content-Type": "application/json"}, json.dumps(job).encode()

        monkeypatch.setenv("CHRYSALIS_VERTEX_ENDPOINT", loopback(answer))

    return start


def test_a_run_that_failed_says_which_step_and_why(service):
    details = [
        {"taskName": "run", "state": "FAILED", "error": {"message": "The DAG failed"}},  # itself
        {"taskName": "records", "state": "SUCCEEDED"},
        {"taskName": "train", "state": "FAILED", "error": {"message": "it exited with status 2."}},
    ]
    service(
        state="PIPELINE_STATE_FAILED",
        error={"code": 9, "message": "The DAG failed because some tasks failed: [train]"},
        jobDetail={"taskDetails": details},
    )
    done = CliRunner().invoke(app, ["pipeline", "--root", ROOT, "--run"])
    assert re.search(
        r"job run FAILED: The DAG failed .* \[train\]; train: it exited with status 2 \(logs: https://",
        str(done.exception),
    )
    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert ("train", "FAILED") in {(line.get("step"), line.get("state")) for line in told}


def test_an_interrupt_leaves_the_run_and_says_so(service):
    service(state="PIPELINE_STATE_RUNNING")
    with subprocess.Popen(
        [sys.executable, "-m", "vertex", "pipeline", "--root", ROOT, "--run"],
        env={**os.environ, "PYTHONPATH": "src"},
        stderr=subprocess.PIPE,
        text=True,
        # Its parent may ignore SIGINT, as a shell's background job does.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as command:
        assert any('"state": "RUNNING"' in line for line in command.stderr)
        command.send_signal(signal.SIGINT)
        [said] = command.stderr.read().splitlines()
    assert command.returncode == 130
    assert "no longer watching; the job goes on" in said
