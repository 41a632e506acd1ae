"""The rehearsal itself: README's cloud chapter, command by command, and what is compared after each."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import requests

from contracts import storage
from contracts.bundle import ModelBundle
from contracts.errors import StageError
from rehearsal.checkout import Commands
from rehearsal.containers import Containers, Preemption
from rehearsal.requests import RequestsDifferError, same_requests
from rehearsal.vertex_ai import Job, Recorded, VertexAI

PROJECT: Final = "rehearsal-project"
REGION: Final = "europe-west4"
BUCKET: Final = "rehearsal-bucket"
IMAGES: Final = f"{REGION}-docker.pkg.dev/{PROJECT}/chrysalis"
WANDB_SECRET: Final = "wandb-api-key"  # noqa: S105 - its name, not its value
RUN: Final = "gs://rehearsal-bucket/models/digits/cnn"
EPOCHS: Final = 4

SEARCH: Final = """\
studySpec:
  metrics:
    - {metricId: val_accuracy, goal: MAXIMIZE}
  parameters:
    - parameterId: learning_rate
      doubleValueSpec: {minValue: 1.0e-3, maxValue: 1.0e-2}
      scaleType: UNIT_LOG_SCALE
    - parameterId: batch_size
      discreteValueSpec: {values: [64, 128]}
    - parameterId: flip
      categoricalValueSpec: {values: ["true", "false"]}
maxTrialCount: 2
parallelTrialCount: 1
"""
"""A number, one of a few numbers and a switch: each kind that the service writes its own way."""


class DisagreementError(StageError):
    """What was compared isn't the same."""


@dataclass
class Act:
    """One step of the rehearsal."""

    name: str
    seconds: float = 0.0
    compared: list[str] = field(default_factory=list)


@dataclass
class Play:
    """What every act works with."""

    commands: Commands
    vertex: VertexAI
    containers: Containers
    secret: str
    announce: Callable[[str], None]
    acts: list[Act] = field(default_factory=list)

    @contextmanager
    def act(self, name: str) -> Iterator[list[str]]:
        """Time a step; what it appends to the list is what it compared."""
        act, started = Act(name), time.monotonic()
        self.acts.append(act)
        yield act.compared
        act.seconds = time.monotonic() - started
        self.announce(
            f"{act.seconds:6.1f} s  {name}" + "".join(f"\n          {line}" for line in act.compared)
        )

    def make(self, target: str, *variables: str, options: str = "") -> list[Recorded]:
        """Run a target of the Makefile on Vertex AI, after its dry run; the requests that it sent."""
        target_line = ("make", target, "RUN=vertex", *variables)
        given = f"VERTEX_ARGS={options}".rstrip()
        return self._as_shown(
            lambda: self.commands(*target_line, f"{given} --dry-run"),
            lambda: self.commands(*target_line, given),
        )

    def vertex_command(self, *arguments: str) -> list[Recorded]:
        """Run `python -m vertex …` after its dry run; the requests that it sent."""
        return self._as_shown(
            lambda: self.commands.python("-m", "vertex", *arguments, "--dry-run"),
            lambda: self.commands.python("-m", "vertex", *arguments),
        )

    def _as_shown(self, show: Callable[[], str], send: Callable[[], str]) -> list[Recorded]:
        before = len(self.vertex.requests)
        shown = show()
        if changing := writes(self.vertex.requests[before:]):
            raise RequestsDifferError(f"--dry-run sent {changing[0].method} {changing[0].path}")
        before = len(self.vertex.requests)
        send()
        sent = writes(self.vertex.requests[before:])
        same_requests(shown, sent)
        return sent


def writes(requests: list[Recorded]) -> list[Recorded]:
    """The requests that change something; reading the logs is a POST, too."""
    return [one for one in requests if one.method != "GET" and not one.path.startswith("/v2/entries")]


def data_stages(play: Play) -> None:
    """Download, check and shard the digits, a job each."""
    for stage in ("download", "process", "records"):
        with play.act(f"make {stage} RUN=vertex") as compared:
            [request] = play.make(stage)
            compared.append(f"the request is --dry-run's; {image_of(request)} ran")


def training(play: Play) -> None:
    """Train on two spot machines, both of which are taken away after the first epoch."""
    preemption = Preemption(when=ended_an_epoch, replicas=("workerpool0-0", "workerpool1-0"))
    play.containers.preemptions.append(preemption)
    with play.act("make train RUN=vertex MODEL=cnn GPU=0 WORKERS=2, on spot machines") as compared:
        [request] = play.make(
            "train",
            "MODEL=cnn",
            "GPU=0",
            "WORKERS=2",
            f"ARGS=--epochs {EPOCHS} --batch-size 60",
            # W&B has a key and can't be reached: the training goes on without.
            options="--spot --env WANDB_INIT_TIMEOUT=5",
        )
        compared.append(f"the request is --dry-run's; {image_of(request)} ran on two machines")
        compared.append(carried_on(play.containers.said))
        bundle = ModelBundle.read(RUN)
        compared.append(f"the bundle is whole: test accuracy {bundle.metrics['accuracy']:.3f}")


def ended_an_epoch(line: str) -> bool:
    """Whether a line tells of an epoch that is over, and its state saved."""
    return event(line).get("event") == "epoch"


def carried_on(said: list[tuple[Job, str, str]]) -> str:
    """Compare where each replica stopped with where it went on."""
    events = [(replica, event(line)) for _, replica, line in said]
    told = [(replica, one, one.get("event", "")) for replica, one in events]
    stopped = {who: (one["epoch"] - 1, one["step"]) for who, one, what in told if what.startswith("stopped;")}
    again = {who: (one["epochs"], one["step"]) for who, one, what in told if what.startswith("going on")}
    if not stopped or stopped != again:
        raise DisagreementError(f"the replicas stopped at {stopped} and went on at {again}")
    epoch, step = stopped["workerpool0-0"]
    return f"SIGTERM to {len(stopped)} machines: stopped and went on in epoch {epoch + 1} after step {step}"


def event(line: str) -> dict[str, Any]:
    """A line of the stages' logs; empty where it is none."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def image_of(request: Recorded) -> str:
    """The image that a custom job names."""
    spec = request.message.job_spec.worker_pool_specs[0]
    return str(spec.container_spec.image_uri).rsplit("/", 1)[-1]


def gate(play: Play) -> None:
    """Bless the run."""
    with play.act("make gate RUN=vertex MODEL=cnn") as compared:
        play.commands("make", "gate", "RUN=vertex", "MODEL=cnn")
        verdict = ModelBundle.read(RUN).gate
        if verdict is None or not verdict.blessed:
            raise DisagreementError(f"the gate's verdict is {verdict}")
        compared.append("the bundle is blessed")


def tuning(play: Play) -> str:
    """Two trials of a study; the best one's bundle, judged by the gate."""
    with play.act("make tune RUN=vertex MODEL=cnn GPU=0") as compared:
        space = play.commands.folder / "search.yaml"
        space.write_text(SEARCH, encoding="utf-8")
        options = ("MODEL=cnn", "GPU=0", f"SPACE={space}", "ARGS=-- --epochs 2 --wandb offline")
        [request] = play.make("tune", *options)
        compared.append(f"the request is --dry-run's; {request.message.max_trial_count} trials ran")
        told = [event(line) for line in play.commands.said.splitlines()]
        [best] = [one for one in told if one.get("event") == "best"]
        bundle = f"gs://{BUCKET}/models/digits/study/{best['trial']}/model"
        play.commands("make", "gate", "RUN=vertex", "MODEL=cnn", f"RUN_ID=study/{best['trial']}/model")
        compared.append(
            f"trial {best['trial']} is the best: val_accuracy {best['val_accuracy']:.3f}; blessed"
        )
    return bundle


def deployment(play: Play) -> None:
    """Register the first run and deploy it: a container with what Vertex AI tells a model's server."""
    with play.act("python -m vertex register --model gs://… --alias champion") as compared:
        sent = play.vertex_command("register", "--model", RUN, "--alias", "champion")
        compared.append(f"{len(sent)} request, --dry-run's")
    with play.act("python -m vertex deploy --model gs://…") as compared:
        sent = play.vertex_command("deploy", "--model", RUN)
        compared.append(f"{len(sent)} requests, --dry-run's; healthy before the deployment was done")


def prediction(play: Play) -> None:
    """Classify the golden images of the first run's bundle through the endpoint."""
    with play.act("python -m vertex predict --dataset digits IMAGE…") as compared:
        images = golden_images(play)
        told = play.commands.python(
            *("-m", "vertex", "predict", "--dataset", "digits", "--json", "--top-k", "10"), *map(str, images)
        )
        answers = [
            {one["class"]: one["probability"] for one in json.loads(line)["top"]}
            for line in told.splitlines()
        ]
        golden = ModelBundle.read(RUN)
        expected = [dict(zip(golden.class_names, one.probabilities, strict=True)) for one in golden.golden]
        apart = max(
            abs(answer[name] - wanted[name])
            for answer, wanted in zip(answers, expected, strict=True)
            for name in wanted
        )
        if apart > golden.golden_tolerance:
            raise DisagreementError(f"a probability is {apart} from the bundle's golden one")
        compared.append(f"{len(images)} golden images: probabilities at most {apart:.1e} from the bundle's")


def golden_images(play: Play) -> list[Path]:
    """The images of the first run's bundle of which the probabilities are known."""
    images = []
    for golden in ModelBundle.read(RUN).golden:
        images.append(play.commands.folder / Path(golden.file).name)
        images[-1].write_bytes(storage.read_bytes(storage.join(RUN, golden.file)))
    return images


def canary(play: Play, bundle: str) -> None:
    """Give another bundle a part of the requests, then take it back and put it in for good."""
    with play.act("python -m vertex deploy --model gs://… --canary 20") as compared:
        sent = play.vertex_command("deploy", "--model", bundle, "--canary", "20")
        compared.append(f"{len(sent)} requests, --dry-run's; {split(play)}")
    with play.act("python -m vertex rollback") as compared:
        sent = play.vertex_command("rollback", "--dataset", "digits")
        compared.append(f"{len(sent)} requests, --dry-run's; {split(play)}")
    prediction(play)
    with play.act("python -m vertex deploy --model gs://… --canary 20, and promote") as compared:
        play.vertex_command("deploy", "--model", bundle, "--canary", "20")
        sent = play.vertex_command("promote", "--dataset", "digits")
        compared.append(f"{len(sent)} requests, --dry-run's; {split(play)}")


def split(play: Play) -> str:
    """How the endpoint's requests are shared, by a request of its own."""
    parent = f"{play.vertex.url}/v1/projects/{PROJECT}/locations/{REGION}/endpoints"
    [endpoint] = requests.get(parent, timeout=10).json()["endpoints"]
    shares = sorted(endpoint.get("trafficSplit", {}).values(), reverse=True)
    return f"{len(endpoint['deployedModels'])} deployed, which get {' and '.join(map(str, shares))} %"


def pipeline(play: Play) -> None:
    """Compile the chain to a pipeline."""
    with play.act("python -m vertex pipeline") as compared:
        file = play.commands.folder / "pipeline.yaml"
        play.commands.python(
            "-m", "vertex", "pipeline", "--model", "cnn", "--gpu", "0", "--output", str(file)
        )
        text = file.read_text(encoding="utf-8")
        for image in ("download", "records", "cnn"):
            if f"{IMAGES}/{image}:" not in text:
                raise DisagreementError(f"the pipeline doesn't name the image {image}")
        compared.append("it names the images that the jobs ran")


def secrecy(play: Play) -> None:
    """Look for the secret wherever people can read."""
    with play.act("no secret anywhere") as compared:
        asked = sum(":access" in request.path for request in play.vertex.requests)
        if not asked:
            raise DisagreementError("no stage asked Secret Manager for its key")
        said = "\n".join(line for _, _, line in play.containers.said)
        sent = "\n".join(request.text for request in play.vertex.requests)
        places = {"a job's output": said, "a request": sent, "a command's output": play.commands.said}
        for place, text in places.items():
            if play.secret in text:
                raise DisagreementError(f"the secret stands in {place}")
        compared.append(
            f"asked of Secret Manager {asked} times; in no output, no request, no image's history"
        )


def perform(play: Play) -> None:
    """Every act, in order."""
    data_stages(play)
    training(play)
    gate(play)
    another = tuning(play)
    deployment(play)
    prediction(play)
    canary(play, another)
    pipeline(play)
    secrecy(play)
