"""What runs in a job: each stage's image, command and arguments, as the Makefile gives them locally.

The folders are composed under one root: raw/<dataset>, interim/<dataset>, processed/<dataset> and
models/<dataset>/<run-id>.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from contracts import storage
from contracts.errors import InputError

DEFAULT_MODEL = "vgg16"
SOURCES = Path(__file__).parents[2]
"""The repository, of which the images are made."""

# `name` is one component of a URI, and `model` a package: anything else would end up somewhere unexpected.
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
PACKAGE = r"[a-z][a-z0-9_]*"

SOURCE = "its URI as --source gs://… (of make: DATASET=gs://…)"

# Behind the -- these would contradict submit's own, and an overlooked --dry-run would cost money.
OWN_FLAGS = ("--source", "--gpu", "--dry-run", "--root", "--dataset")


class Stage(StrEnum):
    """The stages, in the order of the chain."""

    DOWNLOAD = "download"
    PROCESS = "process"
    RECORDS = "records"
    TRAIN = "train"


@dataclass(frozen=True)
class Request:
    """A stage's options, as the command line gives them; None where the option wasn't given."""

    stage: Stage
    root: str
    dataset: str
    source: str | None = None
    model: str | None = None
    run_id: str | None = None
    gpu: int | None = None
    workers: int | None = None
    extra: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """What the container is told: `image` is its name in the registry, `output` the folder that it fills."""

    stage: Stage
    image: str
    command: tuple[str, ...]
    arguments: tuple[str, ...]
    output: str
    gpu: int
    labels: dict[str, str]
    workers: int = 1
    """Hosts, the chief among them."""


def task(request: Request) -> Task:
    """Compose a stage's task.

    Raises:
        InputError: an option isn't one of this stage, or its value can't be used.
    """
    _check(request)
    if request.stage is Stage.TRAIN:
        run_id = request.run_id or request.model or DEFAULT_MODEL
        output = storage.join(request.root, "models", request.dataset, run_id)
        # AIP_MODEL_DIR would be <base output directory>/model; the explicit folder is the one used locally.
        return _training(request, output, {"run-id": run_id}, ("--output", output))
    folders = {
        name: storage.join(request.root, name, request.dataset) for name in ("raw", "interim", "processed")
    }
    image, module, arguments = {
        Stage.DOWNLOAD: (
            "download",
            "datapipeline.download.dataloader",
            ("--source", request.source or request.dataset, "--output", folders["raw"]),
        ),
        Stage.PROCESS: (
            "records",
            "datapipeline.records.process",
            ("--input", folders["raw"], "--output", folders["interim"]),
        ),
        Stage.RECORDS: (
            "records",
            "datapipeline.records.build_records",
            ("--input", folders["interim"], "--output", folders["processed"]),
        ),
    }[request.stage]
    return Task(
        stage=request.stage,
        image=image,
        command=("python", "-m", module),
        arguments=(*arguments, *request.extra),
        output=arguments[-1],
        gpu=0,
        labels={"stage": request.stage, "dataset": request.dataset},
    )


def outputs(root: str, dataset: str, run_id: str) -> set[str]:
    """The folders that the whole chain fills."""
    runs = {Stage.TRAIN: run_id}
    return {task(Request(stage, root, dataset, run_id=runs.get(stage))).output for stage in Stage}


def trial(request: Request, study: str) -> Task:
    """Compose what every trial of a study runs; `output` is the study's folder.

    A trial fills AIP_MODEL_DIR, <the study's folder>/<trial>/model, and is given its values as --name=value.

    Raises:
        InputError: an option's value can't be used.
    """
    _check(request)
    _check_form("--study", study, NAME, "a plain name such as study")
    output = storage.join(request.root, "models", request.dataset, study)
    return _training(request, output, {"study": study}, ())


def _training(request: Request, output: str, labels: dict[str, str], arguments: tuple[str, ...]) -> Task:
    model = request.model or DEFAULT_MODEL
    gpu = 1 if request.gpu is None else request.gpu
    processed = storage.join(request.root, "processed", request.dataset)
    return Task(
        stage=request.stage,
        image=f"{model}-cuda" if gpu else model,
        command=("python", "-m", f"models.{model}.train_multi_gpu"),
        arguments=("--gpu", str(gpu), "--input", processed, *arguments, *request.extra),
        output=output,
        gpu=gpu,
        labels={"stage": request.stage, "dataset": request.dataset, "model": model, **labels},
        workers=request.workers or 1,
    )


def _check(request: Request) -> None:
    _check_form(
        "--dataset",
        request.dataset,
        NAME,
        f"a plain name such as digits; give {SOURCE}",
    )
    _check_form("--run-id", request.run_id, NAME, "a plain name such as vgg16-a")
    _check_form("--model", request.model, PACKAGE, "a folder of src/models")
    _check_model(request.model)
    given = {
        "--model": request.model,
        "--run-id": request.run_id,
        "--gpu": request.gpu,
        "--workers": request.workers,
    }
    if request.stage is not Stage.TRAIN:
        for flag in (flag for flag, value in given.items() if value is not None):
            raise InputError(f"{flag} belongs to train, not to {request.stage}: leave it out")
    if request.source is not None and request.stage is not Stage.DOWNLOAD:
        raise InputError(f"--source belongs to download, not to {request.stage}: leave it out")
    source = request.source or request.dataset
    if "/" in source and "://" not in source:
        raise InputError(f"a job can't see this machine's {source}: upload it and give {SOURCE}")
    _check_extra(request)


def check_source(dataset: str, source: str | None) -> None:
    """Look whether download would find its data set.

    Raises:
        InputError: it is neither an address nor in the catalogue, which the image holds.
    """
    wanted = source or dataset
    catalogue = sorted(path.stem for path in (SOURCES / "data/sources").glob("*.toml"))
    if re.match("(https?|gs)://.", wanted) or wanted in catalogue:
        return
    if "://" in wanted:
        raise InputError(f"{wanted} can't be read: expected gs://bucket/name or an http(s) address")
    if "/" in wanted or Path(wanted).exists():
        raise InputError(f"a job can't see this machine's {wanted}: upload it and give {SOURCE}")
    raise InputError(f"{wanted} isn't in the catalogue, data/sources ({', '.join(catalogue)}): give {SOURCE}")


def _check_model(model: str | None) -> None:
    if model is None:
        return
    models = sorted(path.parent.name for path in (SOURCES / "src/models").glob("*/train_multi_gpu.py"))
    if model not in models:
        raise InputError(f"expected --model to be one of {', '.join(models)}; got {model!r}")


def _check_form(flag: str, value: str | None, form: str, expected: str) -> None:
    if value is not None and not re.fullmatch(form, value):
        raise InputError(f"expected {flag} to be {expected}; got {value!r}")


def _check_extra(request: Request) -> None:
    for argument in request.extra:
        flag = argument.split("=", 1)[0]
        if flag in ("--input", "--output"):
            raise InputError(f"{flag} is composed of --root and the names: leave it out")
        if flag in OWN_FLAGS or (flag == "--workers" and request.stage is Stage.TRAIN):
            raise InputError(f"{flag} belongs before the --: what is behind it goes to the stage")
