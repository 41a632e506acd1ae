"""The options that jobs of stages and of studies share: on what, how long, as whom, with what else."""

from dataclasses import dataclass
from typing import Annotated

import typer

from vertex.machines import MACHINE_TYPES

Texts = list[str] | None


@dataclass(frozen=True)
class JobOptions:
    """As the command line or the environment gives them; None where an option isn't given."""

    machine_type: Annotated[str | None, typer.Option(help="By default one that fits the GPUs.")] = None
    accelerator: Annotated[
        str | None, typer.Option(help=f"train: {', '.join(MACHINE_TYPES)}.  [default: NVIDIA_TESLA_T4]")
    ] = None
    boot_disk_gb: Annotated[
        int | None, typer.Option(min=100, max=64000, help="Size of the machine's disk.  [default: 100]")
    ] = None
    boot_disk_type: Annotated[str | None, typer.Option(help="pd-ssd (the default) or pd-standard.")] = None
    spot: Annotated[
        bool, typer.Option("--spot/--standard", help="Cheaper machines, which may be taken away at any time.")
    ] = False
    max_wait: Annotated[
        str | None,
        typer.Option(help="Wait so long for machines to be free (a flexible start), as in 6h; 0: for ever."),
    ] = None
    timeout: Annotated[
        str | None, typer.Option(help="End the job after so long, as in 12h or 90m.  [default: 7d]")
    ] = None
    restart_on_worker_restart: Annotated[
        bool | None,
        typer.Option(
            help="Start all hosts again when one of them is.  [default: with several hosts]",
            show_default=False,
        ),
    ] = None
    service_account: Annotated[
        str | None, typer.Option(envvar="CHRYSALIS_SERVICE_ACCOUNT", help="The e-mail that the job runs as.")
    ] = None
    network: Annotated[
        str | None,
        typer.Option(envvar="CHRYSALIS_NETWORK", help="projects/NUMBER/global/networks/NAME, peered."),
    ] = None
    reserved_ip_range: Annotated[
        Texts, typer.Option(help="A range of the network that the job may use; can be repeated.")
    ] = None
    enable_web_access: Annotated[
        bool, typer.Option("--enable-web-access", help="A shell in the container, from the job's page.")
    ] = False
    tensorboard: Annotated[
        str | None,
        typer.Option(
            envvar="CHRYSALIS_TENSORBOARD",
            help="train: a Vertex AI TensorBoard that gets the logs: projects/P/locations/R/tensorboards/N, "
            "or N alone. Needs --service-account.",
        ),
    ] = None
    base_output: Annotated[
        str | None,
        typer.Option(help="gs:// folder that Vertex's AIP_* variables are under.  [default: the output]"),
    ] = None
    env: Annotated[
        Texts, typer.Option(help="NAME=value for the container, nothing secret; can be repeated.")
    ] = None
    secret: Annotated[
        Texts,
        typer.Option(help="NAME=SECRET[:VERSION]: Secret Manager's, which the container reads itself."),
    ] = None
    wandb_secret: Annotated[
        str | None,
        typer.Option(
            envvar="CHRYSALIS_WANDB_SECRET", help="train: short for --secret WANDB_API_KEY=SECRET[:VERSION]."
        ),
    ] = None
    label: Annotated[Texts, typer.Option(help="key=value, beside our own; can be repeated.")] = None
