"""The acts in which jobs run: the data stages, the training, the gate and a study."""

import json
from typing import Any, Final

from contracts.bundle import ModelBundle
from rehearsal.containers import Preemption
from rehearsal.play import DisagreementError, Play
from rehearsal.project import RUN
from rehearsal.vertex_ai import Job, Recorded

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


def data_stages(play: Play) -> None:
    """Download, check and shard the digits, a job each."""
    for stage in ("download", "process", "records"):
        with play.act(f"make {stage} RUN=vertex") as compared:
            [request] = play.make(stage)
            compared.append(f"the request is --dry-run's; {image_of(request)} ran")


def training(play: Play) -> None:
    """Train on two spot machines: both are taken away after an epoch, one once more after another."""
    chief, worker = "workerpool0-0", "workerpool1-0"
    for replicas in ((chief, worker), (worker,)):
        play.containers.preemptions.append(Preemption(ended_an_epoch, replicas))
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


def carried_on(said: list[tuple[Job, str, str]], times: int = 2) -> str:
    """Compare where each replica stopped with where it went on, each of so many times."""
    stopped: dict[str, list[tuple[int, int]]] = {}
    again: dict[str, list[tuple[int, int]]] = {}
    for replica, told in ((replica, event(line)) for _, replica, line in said):
        if told.get("event", "").startswith("stopped;"):
            stopped.setdefault(replica, []).append((told["epoch"], told["step"]))
        elif told.get("event", "").startswith("going on"):
            again.setdefault(replica, []).append((told["epochs"] + 1, told["step"]))
    if not stopped or stopped != again or any(len(stops) != times for stops in stopped.values()):
        raise DisagreementError(f"the replicas stopped at {stopped} and went on at {again}")
    where = " and ".join(f"epoch {epoch}, step {step}" for epoch, step in again["workerpool0-0"])
    return f"SIGTERM to both, then to one: {len(stopped)} machines went on where they stopped, in {where}"


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
    """Two trials of a study; the best one's RUN_ID, judged by the gate."""
    with play.act("make tune RUN=vertex MODEL=cnn GPU=0") as compared:
        space = play.commands.folder / "search.yaml"
        space.write_text(SEARCH, encoding="utf-8")
        options = ("MODEL=cnn", "GPU=0", f"SPACE={space}", "ARGS=-- --epochs 2 --wandb offline")
        [request] = play.make("tune", *options)
        compared.append(f"the request is --dry-run's; {request.message.max_trial_count} trials ran")
        told = [event(line) for line in play.commands.said.splitlines()]
        [best] = [one for one in told if one.get("event") == "best"]
        run_id = f"study/{best['trial']}/model"
        play.commands("make", "gate", "RUN=vertex", f"RUN_ID={run_id}")
        compared.append(
            f"trial {best['trial']} is the best: val_accuracy {best['val_accuracy']:.3f}; blessed"
        )
    return run_id
