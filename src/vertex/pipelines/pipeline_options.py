"""The options of `python -m vertex pipeline`, in groups: its steps, train's machine, and a run of it."""

import shlex
from dataclasses import dataclass
from typing import Annotated, ClassVar

import typer

from contracts.errors import InputError
from vertex.jobs.job_options import Accelerator
from vertex.jobs.submit import RunId, Source
from vertex.stages import DEFAULT_MODEL


@dataclass(frozen=True)
class StepOptions:
    """What the steps do, and their further options as one would type them."""

    title: ClassVar[str] = "Steps"

    source: Source = None
    model: Annotated[str, typer.Option(help="train: the architecture.")] = DEFAULT_MODEL
    run_id: RunId = None
    process_args: Annotated[str, typer.Option(help='More for process, as in "--seed 1".')] = ""
    records_args: Annotated[
        str, typer.Option(help='More for records, as in "--image-size 224 --resize crop".')
    ] = ""
    gate_args: Annotated[str, typer.Option(help='The floors of gate, as in "--min-accuracy 0.9".')] = ""

    def words(self) -> dict[str, tuple[str, ...]]:
        """The further options by their step's name.

        Raises:
            InputError: a quote isn't closed.
        """
        given = {"process": self.process_args, "records": self.records_args, "gate": self.gate_args}
        try:
            return {step: tuple(shlex.split(text)) for step, text in given.items()}
        except ValueError as error:
            raise InputError(f"the options of a step can't be read: {error}") from None


@dataclass(frozen=True)
class TrainMachine:
    """What train runs on; None where the option wasn't given."""

    title: ClassVar[str] = "Train's machine"

    gpu: Annotated[str, typer.Option(help="train: GPUs in its machine; 0 is a CPU.", metavar="<int>")] = "1"
    accelerator: Accelerator = None
