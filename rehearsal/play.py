"""The rehearsal itself: README's cloud chapter, command by command, and what is compared after each."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from contracts import storage
from contracts.bundle import ModelBundle
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


class DisagreementError(AssertionError):
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
            f"ARGS=--epochs {EPOCHS} --batch-size 60 --wandb offline",
            options="--spot",
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


def tuning(play: Play, folder: Path) -> None:
    """Two trials of a study."""
    (folder / "search.yaml").write_text(SEARCH, encoding="utf-8")
    with play.act("make tune RUN=vertex, two trials") as compared:
        [request] = play.make(
            "tune", "MODEL=cnn", "GPU=0", f"SPACE={folder / 'search.yaml'}", "ARGS=--epochs 1 --wandb offline"
        )
        compared.append(f"the request is --dry-run's; {request.message.max_trial_count} trials ran")


def golden_image(folder: Path) -> tuple[Path, ModelBundle]:
    """An image of the bundle, of which its probabilities are known."""
    bundle = ModelBundle.read(RUN)
    path = folder / "golden.jpg"
    path.write_bytes(storage.read_bytes(storage.join(RUN, bundle.golden[0].file)))
    return path, bundle


def perform(play: Play) -> None:
    """Every act, in order."""
    data_stages(play)
    training(play)
    gate(play)
