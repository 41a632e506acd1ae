"""The replicas of a job, and the variables that Vertex AI sets in each.

After Google's page "Distributed training": CLUSTER_SPEC stands on every replica, TF_CONFIG only where
there are several.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rehearsal import metrics

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1 import types

    from rehearsal.vertex_ai import Job

_PORT: Final = 2222
_TASKS: Final = ("chief", "worker", "ps", "evaluator")
"""What TensorFlow calls the pools, by their position."""


@dataclass(frozen=True)
class Replica:
    """One machine of a job: the `index`th of the worker pool `pool`."""

    pool: int
    index: int
    host: str
    """Its name in the network."""
    spec: "types.WorkerPoolSpec"

    @property
    def name(self) -> str:
        """What the logs call it."""
        return f"workerpool{self.pool}-{self.index}"

    @property
    def chief(self) -> bool:
        """Whether the job is done when this one is."""
        return self.pool == 0


def replicas(job: "Job") -> list[Replica]:
    """The machines that a job asks for, the chief first."""
    mark = f"{int(job.number) % 2**40:010x}"
    return [
        Replica(pool, index, f"cmle-training-workerpool{pool}-{mark}-{index}", spec)
        for pool, spec in enumerate(job.spec.worker_pool_specs)
        for index in range(spec.replica_count)
    ]


def environment(job: "Job", mine: Replica, everyone: Sequence[Replica]) -> dict[str, str]:
    """What Vertex AI sets in the container of the replica `mine`."""
    project, region = job.name.split("/")[1:4:2]
    return {
        "CLOUD_ML_JOB_ID": job.number,
        "CLOUD_ML_PROJECT_ID": project,
        "CLOUD_ML_REGION": region,
        **_folders(job),
        **({"CLOUD_ML_TRIAL_ID": job.trial, "CLOUD_ML_HP_METRIC_FILE": metrics.FILE} if job.trial else {}),
        "CLUSTER_SPEC": json.dumps(_cluster_spec(job, mine, everyone)),
        **({"TF_CONFIG": json.dumps(_tf_config(job, mine, everyone))} if len(everyone) > 1 else {}),
    }


def _folders(job: "Job") -> dict[str, str]:
    prefix = job.spec.base_output_directory.output_uri_prefix.rstrip("/")
    if not prefix:
        return {}
    if job.trial:
        prefix += f"/{job.trial}"
    return {
        "AIP_MODEL_DIR": f"{prefix}/model/",
        "AIP_CHECKPOINT_DIR": f"{prefix}/checkpoints/",
        "AIP_TENSORBOARD_LOG_DIR": f"{prefix}/logs/",
    }


def _cluster_spec(job: "Job", mine: Replica, everyone: Sequence[Replica]) -> dict[str, Any]:
    cluster: dict[str, list[str]] = {}
    for replica in everyone:
        cluster.setdefault(f"workerpool{replica.pool}", []).append(f"{replica.host}:{_PORT}")
    task = {"type": f"workerpool{mine.pool}", "index": mine.index, **_trial(job)}
    return {"cluster": cluster, "environment": "cloud", "task": task, "job": _spec(job)}


def _tf_config(job: "Job", mine: Replica, everyone: Sequence[Replica]) -> dict[str, Any]:
    cluster: dict[str, list[str]] = {}
    for replica in everyone:
        if _TASKS[replica.pool] != "evaluator":
            cluster.setdefault(_TASKS[replica.pool], []).append(f"{replica.host}:{_PORT}")
    task = {"type": _TASKS[mine.pool], "index": mine.index, "cloud": mine.host, **_trial(job)}
    return {"cluster": cluster, "environment": "cloud", "job": _spec(job), "task": task}


def _trial(job: "Job") -> dict[str, str]:
    return {"trial": job.trial} if job.trial else {}


def _spec(job: "Job") -> dict[str, Any]:
    spec: dict[str, Any] = type(job.spec).to_dict(job.spec, use_integers_for_enums=False)
    return spec
