"""What runs a registered model on an endpoint: on what and how often, as the message that deploys it."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

import typer

from contracts.errors import InputError
from vertex.machines import MACHINE_TYPES, machine
from vertex.models.model import IMAGES
from vertex.models.version import Version

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1.types import DeployedModel

CPU_MACHINE: Final = "n1-standard-2"
"""Two cores and 7.5 GB: the server needs 160 MB and its model."""

MOST_REPLICAS: Final = 1000
"""More than any quota, and a number that the service's messages hold."""


@dataclass(frozen=True)
class Resources:
    """The options that say on what a model runs, as a group."""

    title: ClassVar[str] = "Machines of Vertex AI"

    machine_type: Annotated[
        str | None, typer.Option(help=f"vertex: by default {CPU_MACHINE}, or one that fits the GPUs.")
    ] = None
    gpu: Annotated[int, typer.Option(min=0, max=16, help="vertex: GPUs of a machine; 0 serves on CPUs.")] = 0
    accelerator: Annotated[
        str | None, typer.Option(help=f"vertex: {', '.join(MACHINE_TYPES)}.  [default: NVIDIA_TESLA_T4]")
    ] = None
    min_replicas: Annotated[
        int, typer.Option(min=1, max=MOST_REPLICAS, help="vertex: machines that always run.")
    ] = 1
    max_replicas: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_REPLICAS, help="vertex: up to so many.  [default: --min-replicas]"),
    ] = None


def check_image(version: Version, resources: Resources) -> None:
    """Refuse a version whose image can't use the machines.

    Raises:
        InputError: it is the CPUs', and there are to be GPUs, or the other way round.
    """
    image = re.split("[:@]", version.image.rpartition("/")[2])[0]
    if image not in IMAGES:  # somebody else's, who may know
        return
    on_gpu = image == IMAGES[1]
    if on_gpu != (resources.gpu > 0):
        flag = "--gpu 1 or more" if on_gpu else "--gpu 0"
        raise InputError(
            f"{version.name} is served by {version.image}: expected {flag}, got --gpu {resources.gpu}; "
            "deployed from its bundle it gets an image that fits: "
            f'make deploy RUN=vertex VERTEX_ARGS="--gpu {resources.gpu}"'
        )


def deployed_model(version: Version, resources: Resources, service_account: str | None) -> "DeployedModel":
    """Build what is deployed.

    Raises:
        InputError: there are no such machines.
    """
    from google.cloud.aiplatform_v1 import types

    least = resources.min_replicas
    most = least if resources.max_replicas is None else resources.max_replicas
    if most < least:
        raise InputError(f"expected --max-replicas of at least --min-replicas {least}, got {most}")
    machine_type = resources.machine_type or (None if resources.gpu else CPU_MACHINE)
    computer = machine(resources.gpu, resources.accelerator, machine_type)
    return types.DeployedModel(
        model=version.name,
        display_name=f"{version.model_id}-{version.number}",
        dedicated_resources=types.DedicatedResources(
            machine_spec=types.MachineSpec(
                machine_type=computer.type,
                accelerator_type=computer.accelerator,
                accelerator_count=computer.accelerator_count or None,
            ),
            min_replica_count=least,
            max_replica_count=most,
        ),
        service_account=service_account or "",
    )


def is_alike(deployed: "DeployedModel", wanted: "DeployedModel", version: Version) -> bool:
    """Whether what is deployed is what is wanted: the version, on such machines, as that account."""

    def told(model: "DeployedModel") -> tuple[object, ...]:
        # Not by the client's own enums, which warn of an accelerator of tomorrow.
        resources = type(model).pb(model).dedicated_resources
        spec = resources.machine_spec
        return (
            (spec.machine_type, spec.accelerator_type, spec.accelerator_count),
            (resources.min_replica_count, resources.max_replica_count),
            model.service_account,
        )

    return version.is_of(deployed.model, deployed.model_version_id) and told(deployed) == told(wanted)
