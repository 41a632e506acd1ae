"""Where else a server can stand: the files and commands for it, by tools that only record their calls."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import yaml

from contracts import storage
from contracts.bundle import ModelBundle

ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/chrysalis"


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """No registry but one on loopback can be asked."""
    monkeypatch.setenv("CHRYSALIS_VERTEX_ENDPOINT", "http://127.0.0.1:9")


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Put gcloud, docker, aws and sam on the PATH; `tools()` gives each call, its input and its files."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = """#!{python}
import json, pathlib, sys
name = pathlib.Path(sys.argv[0]).name
if name == "aws":
    print("a-password")
files = {{path.name: path.read_text() for path in pathlib.Path().iterdir()}}
call = {{"call": [name, *sys.argv[1:]], "input": sys.stdin.read(), "files": files}}
with open({log!r}, "a") as log:
    print(json.dumps(call), file=log)
if "{fails}" in sys.argv:
    sys.exit("ERROR: it can't")
"""
    log = tmp_path / "calls"
    for name in ("gcloud", "docker", "aws", "sam"):
        tool = folder / name
        tool.write_text(script.format(python=sys.executable, log=str(log), fails="broken"))
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def calls():
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    return calls


def files_of(script):
    """What a printed script writes, by running that part of it; and the commands that are left."""
    files, commands, lines = {}, [], iter(script.splitlines())
    for line in lines:
        if not line.startswith("cat > "):
            commands.append(line)
            continue
        text = []
        for inner in lines:
            if inner == "EOF":
                break
            text.append(inner)
        files[line.split()[2]] = "\n".join(text) + "\n"
    return files, commands


def test_cloud_run(vertex, blessed, tools, snapshot):
    uri = blessed("a")
    arguments = ("deploy", "--target", "cloudrun", "--model", uri, "--key-secret", "my-key:3")
    files, commands = files_of(vertex(*arguments, "--dry-run").out)
    assert tools() == []
    assert vertex(*arguments).code == 0
    (call,) = tools()
    assert " ".join(call["call"]) == commands[0]
    assert commands == ["gcloud run services replace service.yaml --project my-project --region europe-west4"]
    assert call["files"] == files
    assert yaml.safe_load(files["service.yaml"]) == snapshot


@pytest.mark.parametrize(("target", "image"), [("cloudrun", "serving"), ("function", "serving-function")])
def test_an_image_pushed_anew_makes_another_revision(vertex, blessed, tools, registry, target, image):
    arguments = ("deploy", "--target", target, "--model", blessed("a"), "--allow-bucket", "photos")
    none = vertex(*arguments)
    assert (none.code, f"make push ARGS={image}, or" in none.err, tools()) == (2, True, [])
    for content in "12":
        digest = registry.push(f"{image}:latest", content)
        assert vertex(*arguments).code == 0
        (container,) = yaml.safe_load(tools()[-1]["files"]["service.yaml"])["spec"]["template"]["spec"][
            "containers"
        ]
        assert container["image"] == f"{registry.images}/{image}@{digest}"


def test_a_function(vertex, blessed, tools, snapshot, monkeypatch):
    monkeypatch.setenv("CHRYSALIS_SERVING_ACCOUNT", "mine@my-project.iam.gserviceaccount.com")
    arguments = ("deploy", "--target", "function", "--model", blessed("a"))
    done = vertex(*arguments)
    assert done.code == 2
    assert "expected --allow-bucket BUCKET" in done.err
    assert vertex(*arguments, "--allow-bucket", "photos", "--allow-bucket", "more").code == 0
    (call,) = tools()
    assert yaml.safe_load(call["files"]["service.yaml"]) == snapshot


def test_app_engine(vertex, blessed, tools, snapshot):
    assert vertex("deploy", "--target", "appengine", "--model", blessed("a")).code == 0
    (call,) = tools()
    assert call["call"] == [
        *("gcloud", "app", "deploy", "app.yaml", "--image-url"),
        "europe-west4-docker.pkg.dev/my-project/chrysalis/serving:latest",
        *("--project", "my-project", "--quiet"),
    ]
    assert yaml.safe_load(call["files"]["app.yaml"]) == snapshot


def test_lambda(vertex, vertex_ai, models, judged, tiny_bundle, tools, monkeypatch):
    for name in ("PROJECT", "REGION", "IMAGES"):
        monkeypatch.delenv(f"CHRYSALIS_{name}")
    uri = f"{models}/tiny"
    storage.upload_many(tiny_bundle, [file.name for file in storage.list_files(str(tiny_bundle))], uri)
    judged(uri)
    tag = ModelBundle.read(uri).digest[:12]
    arguments = ("deploy", "--target", "lambda", "--model", uri, "--ecr", ECR)
    _, shown = files_of(vertex(*arguments, "--dry-run").out)
    assert tools() == []
    done = vertex(*arguments)
    assert done.code == 0, done.err
    assert [call["call"][:2] for call in tools()] == [
        ["docker", "buildx"],
        ["docker", "buildx"],
        ["aws", "ecr"],
        ["docker", "login"],
        ["docker", "push"],
        ["sam", "deploy"],
    ]
    assert tools()[3]["input"] == "a-password\n"
    assert tools()[4]["call"][-1] == f"{ECR}:{tag}"
    assert [line.split()[:2] for line in shown] == [line.split()[:2] for line in done.out.splitlines()]
    assert f"Image={ECR}:{tag}" in shown[-1]


@pytest.mark.parametrize(
    ("target", "model", "said"),
    [
        ("cloudrun", "data/models/nosuch/run", "holds neither bundle.json nor champion.json"),
        ("cloudrun", "gs://my-bucket/models/digits/unjudged", "wasn't judged"),
        ("appengine", "gs://my-bucket/models/digits/refused", "the gate refused the bundle"),
        ("function", "gs://my-bucket/models/digits/refused", "the gate refused the bundle"),
        ("lambda", "gs://my-bucket/models/digits/refused", "the gate refused the bundle"),
        ("lambda", "gs://my-bucket/models/digits/a", "expected --ecr (or CHRYSALIS_ECR) as in"),
    ],
)
def test_what_cant_be_deployed_is_told(vertex, blessed, unblessed, tools, target, model, said):
    blessed("a")
    done = vertex("deploy", "--target", target, "--model", model)
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert said in done.err
    assert tools() == []


def test_google_cloud_gets_no_local_bundle(vertex, blessed, tools, tmp_path):
    folder = tmp_path / "a"
    ModelBundle.read(blessed("a")).write(str(folder))
    done = vertex("deploy", "--target", "appengine", "--model", str(folder))
    assert (done.code, "expected --model gs://bucket/…" in done.err) == (2, True)


def test_without_its_tool_it_says_so(vertex, blessed, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = vertex("deploy", "--target", "cloudrun", "--model", blessed("a"))
    assert done.code == 2
    assert "gcloud isn't installed: see cloud.google.com/sdk/docs/install" in done.err


@pytest.mark.parametrize(
    ("target", "needs"),
    [
        ("cloudrun", "an API key in Secret Manager (gcloud secrets versions add chrysalis-api-key"),
        ("appengine", "an application (gcloud app create --project broken), in it a service called default"),
    ],
)
def test_a_tool_that_fails_is_told(vertex, blessed, tools, target, needs):
    done = vertex("deploy", "--target", target, "--model", blessed("a"), "--project", "broken")
    assert done.code == 1
    assert f"` ended with 1: what it said stands above; it needs {needs}" in done.err


def test_the_script_is_one_that_a_shell_takes(vertex, blessed, tools, tmp_path):
    shown = vertex("deploy", "--target", "appengine", "--model", blessed("a"), "--dry-run").out
    folder = tmp_path / "script"
    folder.mkdir()
    subprocess.run([shutil.which("bash"), "-e", "-c", shown], cwd=folder, check=True)
    assert tools()[0]["files"].keys() == {"app.yaml"}
