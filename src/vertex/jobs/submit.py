"""`python -m vertex submit`: one stage as a custom job, submitted and followed until it ends."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

import typer

from vertex.jobs.job import custom_job
from vertex.jobs.job_options import JobOptions
from vertex.jobs.submission import send
from vertex.machines import gpu_count, machine
from vertex.option_groups import grouped
from vertex.settings import Bucket, Root, Settings, Where, root_uri
from vertex.stages import Request, Stage, Task, check_source, task
from vertex.wire import request_json, show_request

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
Dataset = Annotated[str, typer.Option(help="The data set's name: it names the folders.")]
Model = Annotated[str | None, typer.Option(help="train: the architecture.  [default: vgg16]")]
Gpu = Annotated[
    str | None, typer.Option(help="train: GPUs in each machine; 0 is a CPU.  [default: 1]", metavar="INTEGER")
]
Workers = Annotated[
    int | None, typer.Option(min=1, max=1000, help="train: hosts, a chief and workers.  [default: 1]")
]
Again = Annotated[
    bool, typer.Option("--again", help="Submit though a job that fills the same folder is active.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print the request's body, as it is sent (enums are numbers).")
]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the job until it ends.")]


def submit(
    request: Request, options: JobOptions, where: Settings, *, dry_run: bool, wait: bool, again: bool = False
) -> None:
    """Send `request` as a custom job and follow it; with `dry_run`, print the request's body instead."""
    send_task(task(request), options, where, dry_run=dry_run, wait=wait, again=again)


def send_task(
    work: Task, options: JobOptions, where: Settings, *, dry_run: bool, wait: bool, again: bool = False
) -> None:
    """Do the same with a task that is composed already."""
    job = custom_job(work, options, where, now=datetime.now(UTC))
    about = {"name": job.display_name, **summary(work, options, where)}
    if dry_run:
        show_request(where, f"{where.parent}/customJobs", request_json(job), **about)
    else:
        send(job, where, again=again, wait=wait, **about)


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
    root: Root = None,
    bucket: Bucket = None,
    dataset: Dataset = "digits",
    source: Annotated[
        str | None, typer.Option(help="download: where from; by default the catalogue's entry --dataset.")
    ] = None,
    model: Model = None,
    run_id: Annotated[str | None, typer.Option(help="train: the run's name.  [default: --model]")] = None,
    gpu: Gpu = None,
    workers: Workers = None,
    options: JobOptions,
    where: Where,
    again: Again = False,
    dry_run: DryRun = False,
    wait: Wait = True,
) -> None:
    """Run a stage on Vertex AI, on folders under one root in a bucket.

    The folders are those of the local commands: raw/DATASET, interim/DATASET, processed/DATASET and
    models/DATASET/RUN_ID. What stands behind -- goes to the stage as it is. Ctrl-C leaves the job running.
    """
    settings = where.settings()
    if stage is Stage.DOWNLOAD:
        check_source(dataset, source)
    if stage is not Stage.TRAIN:  # one set of options serves the whole chain
        options = replace(options, accelerator=None)
    request = Request(
        stage=stage,
        root=root_uri(root, bucket),
        dataset=dataset,
        source=source,
        model=model,
        run_id=run_id,
        gpu=None if gpu is None else gpu_count(gpu),
        workers=workers,
        extra=tuple(extra or ()),
    )
    submit(request, options, settings, dry_run=dry_run, wait=wait, again=again)
