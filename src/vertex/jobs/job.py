"""The custom job that a task becomes: the very message that the client sends."""

import re
from datetime import datetime
from typing import TYPE_CHECKING

from contracts.errors import InputError
from vertex.folders import bucket_uri
from vertex.jobs.environment import environment, pairs, refuse_secrets
from vertex.jobs.job_options import Account, JobOptions
from vertex.jobs.scheduling import scheduling
from vertex.machines import Machine, machine
from vertex.settings import Settings
from vertex.stages import Stage, Task
from vertex.wire import request_json

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1 import types

LABEL_LENGTH = 63
LABEL_KEY = r"[a-z][a-z0-9_-]{0,62}"

APP = {"app": "chrysalis"}
"""The label of all that is made here."""
OURS = " AND ".join(f'labels.{key}="{value}"' for key, value in APP.items())
"""The filter that lets it through listings."""


def custom_job(task: Task, options: JobOptions, settings: Settings, *, now: datetime) -> "types.CustomJob":
    """Build the job of one stage.

    Raises:
        InputError: an option can't be used, or a secret stands in it.
    """
    from google.cloud.aiplatform_v1 import types  # not at import: it takes most of a second

    job = types.CustomJob(
        display_name=display_name(task.stage, task, now),
        labels=labels(task, options),
        job_spec=job_spec(task, options, settings),
    )
    refuse_secrets(request_json(job))
    return job


def job_spec(task: Task, options: JobOptions, settings: Settings) -> "types.CustomJobSpec":
    """Describe what runs, of a job or of each trial of a study.

    The base output directory is the task's own output folder, so that AIP_CHECKPOINT_DIR and
    AIP_TENSORBOARD_LOG_DIR are its checkpoints/ and logs/.

    Raises:
        InputError: an option can't be used.
    """
    from google.cloud.aiplatform_v1 import types

    computer = machine(task.gpu, options.accelerator, options.machine_type)
    output = task.output
    if options.base_output is not None:
        output = bucket_uri("--base-output", options.base_output)
    if options.reserved_ip_range and not options.network:
        raise InputError("--reserved-ip-range is of a network: give --network, too")
    return types.CustomJobSpec(
        worker_pool_specs=_pools(task, computer, options, settings),
        scheduling=scheduling(options, computer, task.workers),
        service_account=options.service_account or None,
        network=checked_network(options),
        reserved_ip_ranges=options.reserved_ip_range or [],
        enable_web_access=options.enable_web_access,
        tensorboard=_tensorboard(options, settings) if task.stage is Stage.TRAIN else None,
        base_output_directory=types.GcsDestination(output_uri_prefix=output),
    )


def display_name(kind: str, task: Task, now: datetime) -> str:
    """Name a job so that a list of them reads well: chrysalis-train-digits-20261121-093000."""
    return f"chrysalis-{kind}-{label(task.labels['dataset'])}-{now:%Y%m%d-%H%M%S}"


def labels(task: Task, options: JobOptions) -> dict[str, str]:
    """Compose a job's labels: what it is of, and what the user adds.

    Raises:
        InputError: one of the user's isn't a label, or is one of ours.
    """
    ours = APP | {key: label(value) for key, value in task.labels.items()}
    theirs = pairs("--label", options.label)
    for key, value in theirs.items():
        if key in ours:
            raise InputError(f"--label {key}: the job has one of this name already, {ours[key]}")
        if not re.fullmatch(LABEL_KEY, key) or value != label(value):
            raise InputError(
                f"--label {key}={value}: expected lower-case letters, digits, _ and -, at most "
                f"{LABEL_LENGTH} of them, and a letter first in the key"
            )
    return ours | theirs


def label(value: str) -> str:
    """Turn any text into a label's value: lower-case letters, digits, _ and -, at most 63 of them."""
    return re.sub(r"[^a-z0-9_-]", "-", value.lower())[:LABEL_LENGTH]


def _pools(
    task: Task, computer: Machine, options: JobOptions, settings: Settings
) -> "list[types.WorkerPoolSpec]":
    """The chief's pool, and with several hosts the others': the same machine and the same container."""
    from google.cloud.aiplatform_v1 import types

    variables = environment(options, settings.project, training=task.stage is Stage.TRAIN)
    pool = types.WorkerPoolSpec(
        machine_spec=types.MachineSpec(
            machine_type=computer.type,
            accelerator_type=computer.accelerator,
            accelerator_count=computer.accelerator_count or None,
        ),
        replica_count=1,
        disk_spec=_disk(options),
        container_spec=types.ContainerSpec(
            image_uri=settings.image(task.image),
            command=task.command,
            args=task.arguments,
            env=[types.EnvVar(name=name, value=value) for name, value in variables.items()],
        ),
    )
    if task.workers == 1:
        return [pool]
    others = types.WorkerPoolSpec(pool)
    others.replica_count = task.workers - 1
    return [pool, others]


def _disk(options: JobOptions) -> "types.DiskSpec | None":
    from google.cloud.aiplatform_v1 import types

    if options.boot_disk_gb is None and options.boot_disk_type is None:
        return None
    return types.DiskSpec(boot_disk_type=options.boot_disk_type, boot_disk_size_gb=options.boot_disk_gb)


def checked_network(account: Account) -> str | None:
    """The network that a job is peered with.

    Raises:
        InputError: it isn't named as the service wants it.
    """
    name = account.network or None
    if name and not re.fullmatch(r"projects/\d+/global/networks/[a-z0-9-]+", name):
        raise InputError(
            "expected --network projects/NUMBER/global/networks/NAME, with the project's number "
            f"(gcloud projects describe tells it); got {name!r}"
        )
    return name


def _tensorboard(options: JobOptions, settings: Settings) -> str | None:
    name = options.tensorboard
    if not name:
        return None
    if name.isdecimal():
        name = f"{settings.parent}/tensorboards/{name}"
    if not re.fullmatch(r"projects/[^/]+/locations/[^/]+/tensorboards/\d+", name):
        raise InputError(
            f"expected --tensorboard projects/P/locations/R/tensorboards/NUMBER; got {options.tensorboard!r}"
        )
    if name.split("/")[3] != settings.region:
        raise InputError(f"--tensorboard {name}: it has to be in the job's region, {settings.region}")
    if not options.service_account:
        raise InputError(
            "--tensorboard needs --service-account (or CHRYSALIS_SERVICE_ACCOUNT): an account that may write "
            "to it (roles/aiplatform.user) and to the bucket (roles/storage.admin)"
        )
    return name
