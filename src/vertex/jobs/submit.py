"""`python -m vertex submit`: one stage as a custom job, submitted and followed until it ends."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

import typer

from vertex.folders import Folders, root_uri
from vertex.jobs.job import custom_job
from vertex.jobs.job_options import JobOptions
from vertex.jobs.submission import Sending, send
from vertex.jobs.training import Training
from vertex.machines import machine
from vertex.option_groups import grouped
from vertex.settings import Settings, Where
from vertex.stages import Request, Stage, Task, check_source, task

EXAMPLES = """\b
Examples:
  cp .env.example .env    # and fill in project, region, bucket and images
  python -m vertex submit download --dataset digits
  python -m vertex submit process --dataset digits -- --seed 1
  python -m vertex submit records --dataset digits --machine-type n1-standard-16
  python -m vertex submit train --root gs://bucket/run --dataset digits --gpu 4 -- --epochs 20
  python -m vertex submit train --dataset digits --gpu 1 --spot --timeout 12h --dry-run
  python -m vertex submit train --dataset digits --gpu 4 --workers 3 --accelerator NVIDIA_L4
"""

Extra = Annotated[
    list[str] | None, typer.Argument(metavar="-- EXTRA", help="Further options of the stage itself.")
]
Source = Annotated[
    str | None, typer.Option(help="download: where from; by default the catalogue's entry --dataset.")
]
RunId = Annotated[str | None, typer.Option(help="train: the run's name.  [default: --model]")]


def send_task(work: Task, options: JobOptions, where: Settings, sending: Sending) -> None:
    """Send a task as a custom job and follow it, or show it."""
    job = custom_job(work, options, where, now=datetime.now(UTC))
    send(job, where, sending, name=job.display_name, **summary(work, options, where))


def summary(work: Task, options: JobOptions, where: Settings) -> dict[str, str | int]:
    """What a job is told to be, in a few words."""
    computer = machine(work.gpu, options.accelerator, options.machine_type)
    return {
        "image": where.image(work.image),
        "hosts": work.workers,
        "machine": f"{computer.type} (spot)" if options.spot else computer.type,
        "accelerators": f"{computer.accelerator_count} {computer.accelerator}"
        if computer.accelerator
        else "none",
        "output": work.output,
    }


@grouped
def submit_cli(
    stage: Annotated[Stage, typer.Argument(help="The stage to run.")],
    extra: Extra = None,
    *,
    source: Source = None,
    run_id: RunId = None,
    folders: Folders,
    training: Training,
    sending: Sending,
    options: JobOptions,
    where: Where,
) -> None:
    """Run a stage on Vertex AI, on folders under one root in a bucket.

    The folders are those of the local commands: raw/DATASET, interim/DATASET, processed/DATASET and
    models/DATASET/RUN_ID. What stands behind -- goes to the stage as it is. Ctrl-C leaves the job running.
    """
    settings = where.settings()
    if stage is Stage.DOWNLOAD:
        check_source(folders.dataset, source)
    if stage is not Stage.TRAIN:  # one set of options serves the whole chain
        options = replace(options, accelerator=None)
    request = Request(
        stage=stage,
        root=root_uri(folders),
        dataset=folders.dataset,
        source=source,
        model=training.model,
        run_id=run_id,
        gpu=training.gpus(),
        workers=training.workers,
        extra=tuple(extra or ()),
    )
    send_task(task(request), options, settings, sending)
