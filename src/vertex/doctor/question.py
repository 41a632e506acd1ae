"""What the doctor is asked about: the settings as they are, and the training that is meant."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

import typer

from contracts import storage
from vertex.folders import Folders
from vertex.machines import DEFAULT_ACCELERATOR, MACHINE_TYPES
from vertex.settings import Cloud, ServiceAccount, WandbSecret
from vertex.stages import DEFAULT_MODEL

DEFAULT_BATCH_SIZE: Final = 64
"""The trainer's own."""

LOCAL_ROOT: Final = "data"


@dataclass(frozen=True)
class Accounts:
    """As whom jobs and servers run, and where their secrets are."""

    title: ClassVar[str] = "Accounts and secrets"

    service_account: ServiceAccount = None
    wandb_secret: WandbSecret = None
    serving_account: Annotated[
        str | None,
        typer.Option(envvar="CHRYSALIS_SERVING_ACCOUNT", help="The e-mail that servers run as."),
    ] = None
    key_secret: Annotated[
        str | None,
        typer.Option(
            envvar="CHRYSALIS_API_KEY_SECRET",
            help="Secret Manager's secret with the API key of a server on Cloud Run.",
        ),
    ] = None


@dataclass(frozen=True)
class Training:
    """The training that is meant, and its machines."""

    title: ClassVar[str] = "Training"

    model: Annotated[str, typer.Option(help="The architecture whose images must be there.")] = DEFAULT_MODEL
    gpu: Annotated[
        int | None, typer.Option(min=0, help="GPUs of each host.  [default: what is here; a job's 1]")
    ] = None
    workers: Annotated[int, typer.Option(min=1, help="Hosts that train together.")] = 1
    batch_size: Annotated[int, typer.Option(min=1, help="The training's.")] = DEFAULT_BATCH_SIZE
    accelerator: Annotated[
        str | None,
        typer.Option(help=f"{', '.join(MACHINE_TYPES)}.  [default: the machine's, {DEFAULT_ACCELERATOR}]"),
    ] = None
    machine_type: Annotated[str | None, typer.Option(help="The job's, where it isn't the usual one.")] = None
    spot: Annotated[bool, typer.Option("--spot", help="Spot machines, which have their own quota.")] = False
    max_wait: Annotated[
        str | None, typer.Option(help="The job's: machines that are waited for count as spot ones do.")
    ] = None


@dataclass(frozen=True)
class Addresses:
    """Where Google's services are, if not at their own addresses."""

    title: ClassVar[str] = "Other addresses"

    google_endpoint: Annotated[
        str | None,
        typer.Option(envvar="CHRYSALIS_GOOGLE_ENDPOINT", help="Another address of all of Google's services."),
    ] = None
    secrets_endpoint: Annotated[
        str | None,
        typer.Option(envvar="CHRYSALIS_SECRETS_ENDPOINT", help="Another address of Secret Manager."),
    ] = None


@dataclass(frozen=True)
class Question(Addresses, Accounts, Cloud, Training, Folders):
    """All of them, as a group (`vertex.option_groups`); None where neither they nor the settings say."""

    local: Annotated[
        bool, typer.Option("--local", help="This machine only.  [default: where no project is set]")
    ] = False

    @property
    def here(self) -> bool:
        """Whether only this machine is meant."""
        return self.local or not self.project

    @property
    def place(self) -> str:
        """Where everything goes."""
        bucket = None if self.local else self.bucket
        return self.root or (f"gs://{bucket.removeprefix('gs://')}" if bucket else LOCAL_ROOT)

    @property
    def gpus_in_the_cloud(self) -> int:
        """Of each host; a job has one where nothing else is said."""
        return 1 if self.gpu is None else self.gpu

    @property
    def bucket_name(self) -> str | None:
        """The bucket that the stages meet in: of the root, where that is in one."""
        name = self.place if storage.is_remote(self.place) else self.bucket or ""
        return name.removeprefix("gs://").partition("/")[0] or None

    def folder(self, stage: str) -> str:
        """A folder of the data set, as in processed/digits."""
        return storage.join(self.place, stage, self.dataset)
