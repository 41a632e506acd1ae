"""Whole-repo truths: what may import what, what each image holds, and that the lists of stages agree."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent
SRC = ROOT / "src"

MODELS = ["cnn", "keras_applications", "vgg16", "xception"]

# Folder → what it may import besides itself. The whole table: a folder that isn't here fails.
MAY_IMPORT = {
    "contracts": set(),
    "imaging": {"contracts"},
    "datapipeline.download": {"contracts"},
    "datapipeline.records": {"contracts", "imaging"},
    "models.trainer": {"contracts", "imaging"},
    **{f"models.{model}": {"contracts", "imaging", "models.trainer"} for model in MODELS},
    "serving": {"contracts", "imaging"},
    "vertex": {"contracts", "serving"},
}
# Image → its folder, and the modules that its users run.
IMAGES = {
    "download": ("datapipeline/download", ["datapipeline.download.dataloader"]),
    "records": (
        "datapipeline/records",
        ["datapipeline.records.process", "datapipeline.records.build_records"],
    ),
    **{
        model: (
            f"models/{model}",
            [
                f"models.{model}.train_multi_gpu",
                *(f"models.trainer.{command}" for command in ("evaluate", "gate", "tune")),
            ],
        )
        for model in MODELS
    },
    "serving": ("serving", ["serving", "serving.predict"]),
}
# Stage → the module that it runs, on the host and as its image's entry point. `train` has one for each model.
STAGES = {
    "download": "datapipeline.download.dataloader",
    "process": "datapipeline.records.process",
    "records": "datapipeline.records.build_records",
}


def owner(module: str) -> str | None:
    """The folder of the table that a module belongs to; None for somebody else's package."""
    parts = module.split(".")
    for length in (2, 1):
        if ".".join(parts[:length]) in MAY_IMPORT:
            return ".".join(parts[:length])
    return module if (SRC / parts[0]).exists() else None


def imported(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("file", sorted(SRC.rglob("*.py")), ids=lambda file: str(file.relative_to(SRC)))
def test_imports_run_one_way(file):
    here = owner(".".join(file.relative_to(SRC).with_suffix("").parts))
    assert here in MAY_IMPORT, f"{file.relative_to(ROOT)} belongs to no folder of the table"
    strangers = {owner(name) for name in imported(file)} - {None, here} - MAY_IMPORT[here]
    assert not strangers, f"{here} imports {sorted(strangers)}"


def copied(dockerfile: Path) -> list[tuple[str, str]]:
    """The COPY lines that take something from the repository: (source, target)."""
    lines = re.findall(r"^COPY (?!--from)(?:--\S+ )*(\S+) (\S+)$", dockerfile.read_text(), re.MULTILINE)
    return [line for line in lines if "Pipfile" not in line[0]]


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_holds_all_that_its_commands_import(image, tmp_path):
    folder, modules = IMAGES[image]
    for source, target in copied(SRC / folder / "Dockerfile"):
        shutil.copytree(ROOT / source, tmp_path / target.lstrip("/"), dirs_exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "app/src"), "COLUMNS": "200"}
    for module in modules:
        help_text = subprocess.run(
            [sys.executable, "-m", module, "--help"],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert help_text.returncode == 0, help_text.stderr
        assert "--help" in help_text.stdout
        assert f"python -m {module}" in help_text.stdout.split("\n\n", 1)[1], "the help shows an example"


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_holds_only_what_its_folder_may_import(image):
    folder, _ = IMAGES[image]
    allowed = MAY_IMPORT[folder.replace("/", ".")] | {folder.replace("/", ".")}
    sources = {source for source, _ in copied(SRC / folder / "Dockerfile") if source.startswith("src/")}
    assert {source.removeprefix("src/").strip("/").replace("/", ".") for source in sources} <= allowed


def run_make(*arguments: str) -> subprocess.CompletedProcess[str]:
    # As from a shell: the make that runs the tests would hand its own variables on.
    outside = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKEOVERRIDES")
    }
    return subprocess.run(
        ["make", *arguments], cwd=ROOT, env=outside, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize(
    ("stage", "module", "model"),
    [
        *((stage, module, MODELS[0]) for stage, module in STAGES.items()),
        *(("train", f"models.{model}.train_multi_gpu", model) for model in MODELS),
    ],
)
def test_a_stage_is_the_same_in_make_compose_and_its_dockerfile(stage, module, model):
    says = {
        "local": f"-m {module} ",
        "docker": f"run --rm --build {stage}\n",
        "vertex": f"vertex submit {stage} ",
    }
    for run, command in says.items():
        recipe = run_make("-n", stage, f"RUN={run}", f"MODEL={model}", "ROOT=gs://bucket", "GPU=0")
        assert command in recipe.stdout, recipe.stderr
    service = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"][stage]
    dockerfile = ROOT / service["build"]["dockerfile"].replace("${MODEL:-vgg16}", model)
    assert f'ENTRYPOINT ["python", "-m", "{module}"]' in dockerfile.read_text()


def test_the_gate_is_the_same_in_make_and_compose():
    floors = "FLOORS=--max-ece 0.1"
    for run in ("local", "vertex"):  # where it runs on the host, over the bucket
        recipe = run_make("-n", "gate", f"RUN={run}", "ROOT=gs://bucket", floors).stdout
        assert "-m models.trainer.gate --model gs://bucket/models/digits/vgg16 " in recipe
        assert "--max-ece 0.1" in recipe
    recipe = run_make("-n", "gate", "RUN=docker", floors, "ARGS=--confidence 0.9").stdout
    assert 'ARGS="--max-ece 0.1 --confidence 0.9" docker compose run --rm --build gate\n' in recipe
    service = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["gate"]
    assert service["entrypoint"] == ["python", "-m", "models.trainer.gate"]
    whole = run_make("-n", "pipeline", "ARGS=--epochs 1", floors).stdout
    assert "--epochs 1" not in whole[whole.index("models.trainer.gate") :]


def test_only_a_container_is_put_into_service():
    recipe = run_make("-n", "deploy", "RUN=docker").stdout
    assert recipe.index("--check") < recipe.index("up --detach --wait")
    refused = run_make("deploy")
    assert refused.returncode == 2
    assert 'RUN is "local"; deploy puts a container into service: RUN=docker, or TARGET=' in refused.stderr


def test_what_can_be_served_is_named(tmp_path):
    for run in ("cnn", "study/study-01"):
        (tmp_path / "models/digits" / run).mkdir(parents=True)
        (tmp_path / "models/digits" / run / "bundle.json").touch()
    root = f"ROOT={tmp_path}"
    refused = run_make("-n", "serve", root)
    assert refused.returncode == 2
    assert f"has cnn study/study-01: make serve {root} RUN_ID=cnn." in refused.stderr
    assert run_make("-n", "serve", root, "MODEL=cnn").returncode == 0
    assert f"next: make serve {root} MODEL=cnn" in run_make("-n", "pipeline", "MODEL=cnn", root).stdout


@pytest.mark.parametrize("model", MODELS)
def test_architectures_have_containers_that_differ_in_their_names_alone(model):
    for name in ("Dockerfile", "Pipfile", "Pipfile.lock", "train_multi_gpu.py"):
        ours, theirs = ((SRC / "models" / each / name).read_text() for each in (model, "vgg16"))
        # Sorted, as imports are by name.
        assert sorted(ours.replace(model, "vgg16").splitlines()) == sorted(theirs.splitlines())


@pytest.mark.parametrize(("gpu", "service"), [("0", "train"), ("1", "train-cuda"), ("all", "train-cuda")])
def test_docker_trains_on_gpus_where_any_are_asked_for(gpu, service):
    recipe = run_make("-n", "train", "RUN=docker", "MODEL=cnn", f"GPU={gpu}").stdout
    assert f"run --rm --build {service}\n" in recipe
    assert f" MODEL=cnn RUN_ID=cnn GPU={gpu} " in recipe


def read_lock(pipfile: Path) -> dict[str, dict[str, dict[str, object]]]:
    return json.loads(pipfile.with_name("Pipfile.lock").read_text())


PIPFILES = sorted(
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "*Pipfile"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
)


def test_every_image_has_a_pipfile():
    assert {SRC / folder / "Pipfile" for folder, _ in IMAGES.values()} | {ROOT / "Pipfile"} <= set(PIPFILES)


@pytest.mark.parametrize("pipfile", PIPFILES, ids=lambda path: str(path.parent.relative_to(ROOT)))
def test_locks_agree_with_the_hosts_and_name_no_index(pipfile):
    host = {
        name: package.get("version")
        for category, packages in read_lock(ROOT / "Pipfile").items()
        if category != "_meta"
        for name, package in packages.items()
    }
    lock = read_lock(pipfile)
    assert lock["_meta"]["sources"] == []
    assert "source" not in tomllib.loads(pipfile.read_text())
    for category, packages in lock.items():
        if category == "_meta":
            continue
        assert not [name for name, package in packages.items() if "index" in package]
        versions = {name: package["version"] for name, package in packages.items()}
        if pipfile.is_relative_to(ROOT / "benchmarks"):
            continue  # what we are measured against has an environment of its own
        assert versions == {name: host[name] for name in versions}


def test_help_lists_the_targets():
    listed = run_make("help").stdout
    targets = [*STAGES, "train", "gate", "demo", "pipeline", "serve", "deploy", "test"]
    assert all(f"make {target} " in listed for target in targets)
    assert f"{', '.join(MODELS[:-1])} or {MODELS[-1]} " in listed


def test_a_wrong_run_is_one_clear_line():
    result = run_make("pipeline", "RUN=cloud")
    assert result.returncode == 2
    assert 'RUN is "cloud"; it is one of local, docker, vertex' in result.stderr


def tiny_digits(archive: Path) -> None:
    """Some of three of the embedded digits' classes."""
    with zipfile.ZipFile(ROOT / "data/sources/digits.zip") as digits, zipfile.ZipFile(archive, "w") as tiny:
        for label in "012":
            for name in sorted(name for name in digits.namelist() if name.startswith(f"{label}/"))[:12]:
                tiny.writestr(name, digits.read(name))


def test_the_chain_end_to_end(tmp_path):
    tiny_digits(tmp_path / "tiny.zip")
    arguments = [
        "pipeline",
        f"DATASET={tmp_path}/tiny.zip",
        f"ROOT={tmp_path}/root",
        "GPU=0",
        "ARGS=--epochs 1 --batch-size 8",
        "FLOORS=--min-accuracy 0",  # an epoch of 29 images teaches nothing
    ]
    first = run_make(*arguments)
    assert first.returncode == 0, first.stderr
    bundle = tmp_path / "root/models/tiny/vgg16"
    assert json.loads((bundle / "bundle.json").read_text())["class_names"] == ["0", "1", "2"]
    assert (bundle / "report/report.html").is_file()
    assert json.loads((bundle / "bundle.json").read_text())["gate"]["blessed"] is True
    assert json.loads((bundle.parent / "champion.json").read_text())["bundle"] == "vgg16"

    before = {file: file.stat().st_mtime_ns for file in sorted((tmp_path / "root").rglob("*"))}
    assert run_make(*arguments).returncode == 0
    assert before == {file: file.stat().st_mtime_ns for file in sorted((tmp_path / "root").rglob("*"))}

    with zipfile.ZipFile(tmp_path / "tiny.zip") as tiny:
        (tmp_path / "digit.png").write_bytes(tiny.read(tiny.namelist()[0]))
    answer = run_make(
        "predict", f"IMAGE={tmp_path}/digit.png", f"DATASET={tmp_path}/tiny.zip", f"ROOT={tmp_path}/root"
    )
    assert answer.returncode == 0, answer.stderr
    assert "digit.png" in answer.stdout
