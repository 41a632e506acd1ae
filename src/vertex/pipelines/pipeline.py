"""`python -m vertex pipeline`: the chain as a DAG for Kubeflow or Vertex AI Pipelines, compiled or run."""

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer

from contracts import storage
from contracts.console import log
from contracts.errors import InputError
from vertex.jobs.environment import environment
from vertex.jobs.job_options import JobOptions, Texts
from vertex.jobs.submit import Dataset
from vertex.machines import DEFAULT_ACCELERATOR, MACHINE_TYPES, gpu_count, machine
from vertex.option_groups import grouped
from vertex.pipelines.pipeline_job import job_id, pipeline_job, run
from vertex.pipelines.pipeline_steps import Chain, parameters
from vertex.pipelines.pipeline_yaml import Shape, compiled
from vertex.settings import Bucket, Root, Settings, Where, root_uri
from vertex.stages import DEFAULT_MODEL, check_source
from vertex.wire import request_json, show_request

EXAMPLES = """\b
Examples:
  python -m vertex pipeline --dataset flowers --gpu 1 --output flowers.yaml -- --epochs 20
  python -m vertex pipeline --dataset flowers --gate-args "--min-accuracy 0.9" --run -- --epochs 20
  python -m vertex pipeline --root gs://bucket/run --gpu 4 --accelerator NVIDIA_L4 --run --dry-run
"""


@dataclass(frozen=True)
class StepOptions:
    """Further options of the steps, as one would type them."""

    process_args: Annotated[str, typer.Option(help='As in "--seed 1".')] = ""
    records_args: Annotated[str, typer.Option(help='As in "--image-size 224 --resize crop".')] = ""
    gate_args: Annotated[str, typer.Option(help='The floors, as in "--min-accuracy 0.9".')] = ""

    def words(self) -> dict[str, tuple[str, ...]]:
        """The options by their step's name.

        Raises:
            InputError: a quote isn't closed.
        """
        given = {"process": self.process_args, "records": self.records_args, "gate": self.gate_args}
        try:
            return {step: tuple(shlex.split(text)) for step, text in given.items()}
        except ValueError as error:
            raise InputError(f"the options of a step can't be read: {error}") from None


@dataclass(frozen=True)
class TrainOptions:
    """What train runs on and with; None where the option wasn't given."""

    gpu: Annotated[str, typer.Option(help="GPUs in train's machine; 0 is a CPU.", metavar="INTEGER")] = "1"
    accelerator: Annotated[
        str | None, typer.Option(help=f"One of {', '.join(MACHINE_TYPES)}.  [default: {DEFAULT_ACCELERATOR}]")
    ] = None
    env: Annotated[Texts, typer.Option(help="NAME=value for train, nothing secret; can be repeated.")] = None
    secret: Annotated[
        Texts, typer.Option(help="NAME=SECRET[:VERSION]: Secret Manager's, which train reads itself.")
    ] = None
    wandb_secret: Annotated[
        str | None,
        typer.Option(
            envvar="CHRYSALIS_WANDB_SECRET", help="Short for --secret WANDB_API_KEY=SECRET[:VERSION]."
        ),
    ] = None


@dataclass(frozen=True)
class RunOptions:
    """Of a run on Vertex AI; None where the option wasn't given."""

    service_account: Annotated[
        str | None, typer.Option(envvar="CHRYSALIS_SERVICE_ACCOUNT", help="The e-mail that the steps run as.")
    ] = None
    network: Annotated[
        str | None,
        typer.Option(envvar="CHRYSALIS_NETWORK", help="projects/NUMBER/global/networks/NAME, peered."),
    ] = None


@grouped
def pipeline_cli(
    extra: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- EXTRA", help="Options of train; each --name value becomes a parameter."),
    ] = None,
    *,
    root: Root = None,
    bucket: Bucket = None,
    dataset: Dataset = "digits",
    source: Annotated[str | None, typer.Option(help="Where from.  [default: --dataset]")] = None,
    model: Annotated[str, typer.Option(help="The architecture.")] = DEFAULT_MODEL,
    run_id: Annotated[str | None, typer.Option(help="The run's name.  [default: --model]")] = None,
    step_options: StepOptions,
    train: TrainOptions,
    cache: Annotated[
        bool,
        typer.Option(
            help="Skip a step that ran before with the same image, command and parameters, whatever its "
            "folders hold by now. Without it, the stages themselves skip what is up to date."
        ),
    ] = False,
    output: Annotated[
        str | None, typer.Option(help="Write the YAML there; without this and --run it is printed.")
    ] = None,
    run_it: Annotated[bool, typer.Option("--run", help="Run it on Vertex AI Pipelines.")] = False,
    run_options: RunOptions,
    where: Where,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --run: print the request's body and send nothing.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="With --run: follow it to its end.")] = True,
) -> None:
    """Compile download → process → records → train → gate to a pipeline, and run it if wanted.

    The steps' images, commands and folders are those of `submit`. Parameters: root, dataset, source, run_id
    and train's options. The cache compares images by tag: give --tag, as `push` names it, rather than latest.
    """
    settings = where.settings()
    check_source(dataset, source)
    gpu = gpu_count(train.gpu)
    words = {**step_options.words(), "train": tuple(extra or ())}
    chain = Chain(root_uri(root, bucket), dataset, source, model, run_id, gpu, words)
    options = JobOptions(env=train.env, secret=train.secret, wandb_secret=train.wandb_secret)
    variables = environment(options, settings.project, training=True)
    shape = Shape(machine(gpu, train.accelerator), variables, cache)
    text = compiled(chain, shape, settings)
    if output:
        storage.write_bytes(output, text.encode())
        log("compiled", pipeline=output)
    elif not run_it:
        typer.echo(text, nl=False)
    if run_it:
        run_or_show(text, chain, run_options, settings, dry_run=dry_run, wait=wait)


def run_or_show(
    text: str, chain: Chain, options: RunOptions, settings: Settings, *, dry_run: bool, wait: bool
) -> None:
    """Run the compiled chain; with `dry_run`, print the request's body instead."""
    job = pipeline_job(
        text,
        parameters(chain),
        datetime.now(UTC),
        service_account=options.service_account,
        network=options.network,
    )
    if dry_run:
        path = f"{settings.parent}/pipelineJobs?pipelineJobId={job_id(job)}"
        show_request(settings, path, request_json(job), name=job.display_name)
    else:
        run(job, settings, wait=wait)
