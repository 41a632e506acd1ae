"""The training that a job is of, as one types it."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import typer

from vertex.machines import gpu_count


@dataclass(frozen=True)
class Training:
    """The architecture and its hosts, as a group (`vertex.option_groups`); None where not given."""

    title: ClassVar[str] = "Training"

    model: Annotated[str | None, typer.Option(help="train: the architecture.  [default: vgg16]")] = None
    gpu: Annotated[
        str | None,
        typer.Option(help="train: GPUs in each machine; 0 is a CPU.  [default: 1]", metavar="<int>"),
    ] = None
    workers: Annotated[
        int | None, typer.Option(min=1, max=1000, help="train: hosts, a chief and workers.  [default: 1]")
    ] = None

    def gpus(self) -> int | None:
        """How many in each machine.

        Raises:
            InputError: it is no number.
        """
        return None if self.gpu is None else gpu_count(self.gpu)
