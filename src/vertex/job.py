"""The custom job that a task becomes: the very message that the client sends, and its JSON."""

import os
import re
from datetime import datetime
from typing import TYPE_CHECKING

from contracts.errors import InputError
from vertex.machines import Machine
from vertex.settings import Settings
from vertex.stages import Task

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1.types import CustomJob

SECRETS = ("WANDB_API_KEY",)
"""Environment variables whose values must never stand in a request: anyone who may list jobs reads those."""

LABEL_LENGTH = 63


def custom_job(
    task: Task,
    machine: Machine,
    settings: Settings,
    *,
    now: datetime,
    spot: bool = False,
    service_account: str | None = None,
) -> "CustomJob":
    """Build the job: one machine that runs one container.

    The base output directory is the task's own output folder, so that AIP_CHECKPOINT_DIR and
    AIP_TENSORBOARD_LOG_DIR are its checkpoints/ and logs/.

    Raises:
        InputError: a secret stands among the arguments.
    """
    from google.cloud.aiplatform_v1 import types  # not at import: it takes most of a second

    _refuse_secrets(task)
    pool = types.WorkerPoolSpec(
        machine_spec=types.MachineSpec(
            machine_type=machine.type,
            accelerator_type=machine.accelerator,
            accelerator_count=machine.accelerator_count or None,
        ),
        replica_count=1,
        container_spec=types.ContainerSpec(
            image_uri=settings.image(task.image), command=task.command, args=task.arguments
        ),
    )
    return types.CustomJob(
        display_name=display_name(task, now),
        labels={"app": "chrysalis", **{key: label(value) for key, value in task.labels.items()}},
        job_spec=types.CustomJobSpec(
            worker_pool_specs=[pool],
            scheduling=types.Scheduling(strategy=types.Scheduling.Strategy.SPOT) if spot else None,
            service_account=service_account,
            base_output_directory=types.GcsDestination(output_uri_prefix=task.output),
        ),
    )


def display_name(task: Task, now: datetime) -> str:
    """Name a job so that a list of them reads well: chrysalis-train-digits-20261121-093000."""
    return f"chrysalis-{task.stage}-{label(task.labels['dataset'])}-{now:%Y%m%d-%H%M%S}"


def label(value: str) -> str:
    """Turn any text into a label's value: lower-case letters, digits, _ and -, at most 63 of them."""
    return re.sub(r"[^a-z0-9_-]", "-", value.lower())[:LABEL_LENGTH]


def _refuse_secrets(task: Task) -> None:
    for name in SECRETS:
        secret = os.environ.get(name)
        if secret and any(secret in argument for argument in task.arguments):
            raise InputError(f"the value of {name} stands among the arguments, where everyone could read it")
