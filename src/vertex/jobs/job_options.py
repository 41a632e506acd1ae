"""The options that jobs of stages and of studies share: on what, how long, as whom, with what else."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import typer

from vertex.machines import DEFAULT_ACCELERATOR, MACHINE_TYPES
from vertex.settings import Network, ServiceAccount, WandbSecret

Texts = list[str] | None

Accelerator = Annotated[
    str | None,
    typer.Option(help=f"train: {', '.join(MACHINE_TYPES)}.  [default: {DEFAULT_ACCELERATOR}]"),
]


@dataclass(frozen=True)
class Machines:
    """What a job runs on and for how long; None where an option isn't given."""

    title: ClassVar[str] = "Machines"

    accelerator: Accelerator = None
    machine_type: Annotated[str | None, typer.Option(help="By default one that fits the GPUs.")] = None
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
    boot_disk_gb: Annotated[
        int | None, typer.Option(min=100, max=64000, help="Size of the machine's disk.  [default: 100]")
    ] = None
    boot_disk_type: Annotated[str | None, typer.Option(help="pd-ssd (the default) or pd-standard.")] = None


@dataclass(frozen=True)
class Variables:
    """What a container finds in its environment; None where an option isn't given."""

    title: ClassVar[str] = "Environment"

    env: Annotated[
        Texts,
        typer.Option(metavar="NAME=VALUE", help="A variable, which holds nothing secret; can be repeated."),
    ] = None
    secret: Annotated[
        Texts,
        typer.Option(
            metavar="NAME=SECRET",
            help="A secret of Secret Manager's, SECRET[:VERSION], which the container reads itself as NAME; "
            "can be repeated.",
        ),
    ] = None
    wandb_secret: WandbSecret = None


@dataclass(frozen=True)
class Account:
    """As whom a job or a pipeline's steps run, and in which network; None where an option isn't given."""

    title: ClassVar[str] = "Account and network"

    service_account: ServiceAccount = None
    network: Network = None


@dataclass(frozen=True)
class Access(Account):
    """What else a job reaches, and is reached by."""

    title: ClassVar[str] = Account.title

    reserved_ip_range: Annotated[
        Texts,
        typer.Option(metavar="NAME", help="A range of the network that the job may use; can be repeated."),
    ] = None
    enable_web_access: Annotated[
        bool, typer.Option("--enable-web-access", help="A shell in the container, from the job's page.")
    ] = False


@dataclass(frozen=True)
class JobOptions(Access, Variables, Machines):
    """All of them, as a group (`vertex.option_groups`); dataclasses put the fields of the last base first."""

    title: ClassVar[str] = "Results and labels"

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
    label: Annotated[
        Texts, typer.Option(metavar="KEY=VALUE", help="A label, beside our own; can be repeated.")
    ] = None
