"""`python -m vertex pipeline`: the chain as a DAG for Kubeflow or Vertex AI Pipelines, compiled or run."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from contracts import storage
from contracts.console import log
from contracts.errors import InputError
from vertex.folders import Folders, root_uri
from vertex.jobs.environment import environment
from vertex.jobs.job_options import Account, Variables
from vertex.jobs.submission import Sending, send
from vertex.machines import gpu_count, machine
from vertex.option_groups import grouped
from vertex.pipelines.pipeline_job import pipeline_job
from vertex.pipelines.pipeline_options import StepOptions, TrainMachine
from vertex.pipelines.pipeline_steps import Chain, parameters
from vertex.pipelines.pipeline_yaml import Shape, compiled
from vertex.settings import Where
from vertex.stages import check_source

EXAMPLES = """\b
Examples:
  python -m vertex pipeline --dataset flowers --gpu 1 --output flowers.yaml -- --epochs 20
  python -m vertex pipeline --dataset flowers --gate-args "--min-accuracy 0.9" --run -- --epochs 20
  python -m vertex pipeline --root gs://bucket/run --gpu 4 --accelerator NVIDIA_L4 --run --dry-run
"""

Extra = Annotated[
    list[str] | None,
    typer.Argument(metavar="-- EXTRA", help="Options of train; each --name value becomes a parameter."),
]
Output = Annotated[
    str | None, typer.Option(help="Write the YAML there; without this and --run it is printed.")
]
RunIt = Annotated[bool, typer.Option("--run", help="Run it on Vertex AI Pipelines; else nothing is sent.")]
Cache = Annotated[
    bool,
    typer.Option(
        help="Skip a step that ran before with the same image, command and parameters, whatever its "
        "folders hold by now. Without it, the stages themselves skip what is up to date."
    ),
]


@grouped
def pipeline_cli(
    extra: Extra = None,
    *,
    output: Output = None,
    run_it: RunIt = False,
    cache: Cache = False,
    sending: Sending,
    folders: Folders,
    steps: StepOptions,
    train: TrainMachine,
    variables: Variables,
    account: Account,
    where: Where,
) -> None:
    """Compile download → process → records → train → gate to a pipeline, and run it if wanted.

    The steps' images, commands and folders are those of `submit`; the environment is train's. Parameters:
    root, dataset, source, run_id and train's options. The cache compares images by tag: give --tag, as `push`
    names it, rather than latest. A run is a job like others: `list`, `follow` and `cancel` know it.
    """
    if sending != Sending() and not run_it:
        raise InputError("--dry-run, --no-wait and --again are of a run: give --run, too")
    settings = where.settings()
    chain = composed(folders, steps, train, extra or ())
    shape = Shape(
        machine(chain.gpu, train.accelerator), environment(variables, settings.project, training=True), cache
    )
    text = compiled(chain, shape, settings)
    if output:
        storage.write_bytes(output, text.encode())
        log(
            "compiled", pipeline=output, **({} if run_it else {"run": "make pipeline-yaml VERTEX_ARGS=--run"})
        )
    if run_it:
        job = pipeline_job(text, parameters(chain), datetime.now(UTC), account)
        send(job, settings, sending, name=job.display_name)
    elif not output:
        typer.echo(text, nl=False)


def composed(folders: Folders, steps: StepOptions, train: TrainMachine, extra: Sequence[str]) -> Chain:
    """What the pipeline does; `extra` goes to train.

    Raises:
        InputError: an option can't be used.
    """
    check_source(folders.dataset, steps.source)
    return Chain(
        root=root_uri(folders),
        dataset=folders.dataset,
        source=steps.source,
        model=steps.model,
        run_id=steps.run_id,
        gpu=gpu_count(train.gpu),
        extra={**steps.words(), "train": tuple(extra)},
    )
